"""Headings, leads and lists become runbooks, phases and steps, with nothing lost."""

from tests.runbooks.compiler.fragments import Compile, OneRunbook

INCIDENT = """
# Monitoring runbooks

## Contents

1. [Application down](#application-down)

## Emergencies

### Runbook: Application Down

**Severity**: Warning/Critical
**Response Time**: < 5 minutes
**Alerts**: `AppDown`, `AppGone`

#### Symptoms
- Requests fail
- Error rate > 5% (warning)

#### Immediate Actions (5 minutes)

1. **Look**
   ```bash
   docker ps
   ```

2. **Restart (if safe):**
   ```bash
   docker restart app
   ```

#### Resolution Steps

1. **If the disk is full (> 90%), clean it:**
   - Delete old logs
   - See [the guide](https://docs.internal/disk)

#### Verification
- Health check returns 200

#### Escalation
- After 30 minutes call the lead

---

### Runbook: Slow

**Alert Name:** `AppSlow`

#### Diagnosis
1. Look at the dashboard

## Contact Information
- **On-call**: +1-xxx-xxx-xxxx

## Escalation Matrix

| Severity | Response | Contact |
|---|---|---|
| Critical | 5 minutes | Lead |
"""


def test_an_incident_runbook(compiled: Compile) -> None:
    document = compiled(INCIDENT)
    down, slow = document["runbooks"]
    assert (document["title"], down["title"], down["category"]) == (
        "Monitoring runbooks",
        "Application Down",
        "Emergencies",
    )
    assert (down["kind"], down["alerts"], down["severity"]) == (
        "incident",
        ["AppDown", "AppGone"],
        ["warning", "critical"],
    )
    assert (down["response_time_s"], down["symptoms"]) == (300, ["Requests fail", "Error rate > 5% (warning)"])
    assert down["thresholds"] == ["Error rate > 5% (warning)"]
    assert [p["phase"] for p in down["phases"]] == ["immediate", "resolution", "verification", "escalation"]
    assert slow["alerts"] == ["AppSlow"]


def test_phases_hold_steps_or_items(compiled: Compile) -> None:
    immediate, resolution, verification, escalation = compiled(INCIDENT)["runbooks"][0]["phases"]
    assert (immediate["time_box_s"], [s["title"] for s in immediate["steps"]]) == (300, ["Look", "Restart (if safe)"])
    assert [s["optional"] for s in immediate["steps"]] == [False, True]
    (step,) = resolution["steps"]
    assert (step["condition"], step["manual"]) == ("If the disk is full (> 90%)", True)
    assert step["links"] == ["https://docs.internal/disk"]
    assert "Delete old logs" in step["prose"][0]["text"]
    assert [i["text"] for i in verification["items"]] == ["Health check returns 200"]
    assert len(escalation["items"]) == 1


def test_references_are_no_runbooks(compiled: Compile) -> None:
    document = compiled(INCIDENT)
    contacts, matrix = document["references"]
    assert (contacts["kind"], contacts["rows"][0]["cells"]) == (
        "contacts",
        {"name": "On-call", "value": "+1-xxx-xxx-xxxx"},
    )
    assert matrix["kind"] == "escalation_matrix"
    assert matrix["rows"][-1]["cells"] == {"Severity": "Critical", "Response": "5 minutes", "Contact": "Lead"}
    assert {f["rule"] for f in document["findings"]} >= {"contact.incomplete", "runbook.no-verification"}


def test_a_schedule_is_read_from_its_lines(runbook: OneRunbook) -> None:
    found = runbook(
        """
        # Operations

        ## Morning round

        **Time**: 06:30 AM daily
        **Duration**: 15 minutes
        **Owner**: Operations

        ### Step 1: Services
        ```bash
        docker ps
        ```

        ### Step 2: Disk
        ```bash
        df -h
        ```
        """
    )
    assert found["kind"] == "scheduled"
    assert found["schedule"] == {
        "text": "06:30 AM daily",
        "cron": "30 6 * * *",
        "owner": "Operations",
        "duration_s": 900,
    }
    assert [(s["number"], s["title"]) for s in found["phases"][0]["steps"]] == [("1", "Services"), ("2", "Disk")]


def test_step_comments_split_a_fence(runbook: OneRunbook) -> None:
    found = runbook(
        """
        ## Issue 1: Pool exhausted

        **Symptoms**:
        - Errors

        **Resolution** (5 minutes):

        ```bash
        # Step 1: Count
        df -h
        # Should show > 10GB free

        # Step 2: Kill if > 150
        kill 1

        # Step 3: If it stays slow:
        # - Call the developer
        ```
        """
    )
    (phase,) = found["phases"]
    assert (phase["phase"], phase["time_box_s"], found["symptoms"]) == ("resolution", 300, ["Errors"])
    assert [(s["number"], s["title"], s["condition"], s["manual"]) for s in phase["steps"]] == [
        ("1", "Count", None, False),
        ("2", "Kill if > 150", "if > 150", False),
        ("3", "If it stays slow", "If it stays slow", True),
    ]


def test_a_procedure_that_is_one_fence_has_a_step_for_each_leading_comment(runbook: OneRunbook) -> None:
    found = runbook(
        """
        # Restore

        ```bash
        # Stop the backend
        docker stop api

        # Restore
        pg_restore -d shop dump
        ```
        """
    )
    assert [s["title"] for s in found["phases"][0]["steps"]] == ["Stop the backend", "Restore"]


def test_a_plain_tree_is_a_procedure(runbook: OneRunbook) -> None:
    found = runbook(
        """
        ## System Outage

        **Response Time**: Immediate

        ```
        Step 1: Tell people (2 min)
        └─ Slack: #emergency

        Step 2: Recover (10 min)
        ├─ docker-compose restart
        ├─ If persists: docker-compose down && docker-compose up -d
        └─ Run smoke tests
        ```
        """
    )
    first, second = found["phases"][0]["steps"]
    assert (first["time_box_s"], first["manual"]) == (120, True)
    assert [c["text"] for c in second["commands"]] == [
        "docker-compose restart",
        "docker-compose down && docker-compose up -d",
    ]


def test_options_form_one_group(runbook: OneRunbook) -> None:
    found = runbook(
        """
        # Release

        ## Deployment Steps

        **Step 1: Deploy (one of two ways)**

        **Option A: Blue-green**

        ```bash
        kubectl apply -f green.yaml
        ```

        **Option B: Canary**

        ```bash
        kubectl apply -f canary.yaml
        ```

        **Step 2: Look**
        """
    )
    one, a, b, two = found["phases"][0]["steps"]
    assert (one["option_group"], two["option_group"]) == (None, None)
    assert a["option_group"] == b["option_group"] is not None
    assert [s["number"] for s in (one, a, b, two)] == ["1", "1A", "1B", "2"]


def test_checklists_keep_their_commands(compiled: Compile) -> None:
    document = compiled(
        """
        # Release

        ## Pre-Deployment Checklist

        - [ ] Tests pass
          ```bash
          make test
          ```
        - [x] Dashboards ready
          - [ ] Alerts ready

        ## Deployment Steps

        1. Deploy
           ```bash
           ./deploy.sh
           ```
        """
    )
    (checklist,) = document["checklists"]
    tests, boards = checklist["items"]
    assert [c["text"] for c in tests["commands"]] == ["make test"]
    assert (boards["checked"], boards["items"][0]["text"]) == (True, "Alerts ready")
    assert [p["phase"] for p in document["runbooks"][0]["phases"]] == ["pre_deployment", "deployment"]


def test_unindented_fences_do_not_break_the_list(runbook: OneRunbook) -> None:
    found = runbook(
        """
        # Disk full

        ## Resolution

        1. Look

        ```bash
        df -h
        ```

        2. Clean

        ```bash
        rm -rf /tmp/x
        ```
        """
    )
    assert [(s["number"], len(s["commands"])) for s in found["phases"][0]["steps"]] == [("1", 1), ("2", 1)]


def test_one_alert_per_heading(compiled: Compile) -> None:
    document = compiled(
        """
        ## KubePodCrashLooping

        Pods restart.

        ## KubeNodeNotReady

        - Drain the node with `kubectl drain node-1`
        """
    )
    assert [r["alerts"] for r in document["runbooks"]] == [["KubePodCrashLooping"], ["KubeNodeNotReady"]]
    (step,) = document["runbooks"][1]["phases"][0]["steps"]
    assert [(c["text"], c["risk"]) for c in step["commands"]] == [("kubectl drain node-1", "destroy")]


def test_a_page_without_fences_is_still_a_runbook(runbook: OneRunbook) -> None:
    found = runbook("# Certificate expired\n\nRenew it at the provider.\n\n- Log in\n- Press renew\n")
    assert [s["title"] for s in found["phases"][0]["steps"]] == ["Log in", "Press renew"]
    assert all(s["manual"] for s in found["phases"][0]["steps"])


def test_titles_come_from_the_first_heading_front_matter_or_the_file(compiled: Compile) -> None:
    assert compiled("# 🚨 **Down**\n")["title"] == "Down"
    assert compiled("---\ntitle: From above\n---\n\n## Later\n")["title"] == "From above"
    assert compiled("# {{ title }}\n\n## Real\n")["title"] == "Real"
    assert compiled("just text")["title"] == "page"


def test_broken_front_matter_does_not_end_the_run(compiled: Compile) -> None:
    document = compiled("---\ntitle: [unclosed\n\n# Real\n\n1. Look\n")
    assert document["unaccounted_lines"] == []


def test_two_runbooks_for_one_alert_are_reported(compiled: Compile) -> None:
    document = compiled("## A\n\n**Alert**: `X`\n\n### Symptoms\n- a\n\n## B\n\n**Alert**: `X`\n\n### Symptoms\n- b\n")
    assert [f["line"] for f in document["findings"] if f["rule"] == "alert.duplicate"] == [8]
