from django.db import migrations

# Who may allow what is decided here, for whoever writes the rows: a page, a script, psql. Sentences are for people.
GUARD = """
CREATE FUNCTION runbooks_person(account bigint) RETURNS text LANGUAGE sql STABLE AS $$
    -- Two accounts with one mail address are one person, whatever stands behind a plus.
    SELECT coalesce(nullif(regexp_replace(lower(btrim(email)), '\\+[^@]*@', '@'), ''), 'account ' || id)
    FROM auth_user WHERE id = account
$$;

CREATE FUNCTION runbooks_same_person(one bigint, other bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT one = other OR runbooks_person(one) = runbooks_person(other)
$$;

CREATE FUNCTION runbooks_may_approve(account bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT 1 FROM auth_user person
        JOIN auth_user_groups membership ON membership.user_id = person.id
        JOIN auth_group role ON role.id = membership.group_id
        WHERE person.id = account AND person.is_active AND role.name = 'lead')
$$;

CREATE FUNCTION runbooks_approvers() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT count(*) FROM auth_user person WHERE runbooks_may_approve(person.id)
$$;

CREATE FUNCTION runbooks_authors(asked_in bigint) RETURNS bigint[] LANGUAGE sql STABLE AS $$
    -- Whoever wrote or published this text, in whichever version it stands.
    SELECT coalesce(array_agg(DISTINCT person), '{}') FROM runbooks_steprun here
    JOIN runbooks_execution walk ON walk.id = here.execution_id
    JOIN runbooks_version walked ON walked.id = walk.version_id
    JOIN runbooks_version same ON same.runbook_id = walked.runbook_id AND same.sha256 = walked.sha256
    CROSS JOIN LATERAL unnest(ARRAY[same.created_by_id, same.reviewed_by_id]) AS person
    WHERE here.id = asked_in AND person IS NOT NULL
$$;

CREATE FUNCTION runbooks_refuse(reason text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', reason USING ERRCODE = 'check_violation', CONSTRAINT = 'approval_guard';
END $$;

CREATE FUNCTION runbooks_approval_asked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status <> 'asked' OR NEW.way <> '' OR NEW.decided_by_id IS NOT NULL OR NEW.used_at IS NOT NULL THEN
        PERFORM runbooks_refuse('An approval begins as a question.');
    END IF;
    IF NOT EXISTS (SELECT 1 FROM auth_user WHERE id = NEW.requested_by_id AND is_active) THEN
        PERFORM runbooks_refuse('Only an active account can ask for an approval.');
    END IF;
    NEW.authors := runbooks_authors(NEW.step_run_id);
    NEW.asked_at := now();
    NEW.expires_at := now() + interval '15 minutes';
    RETURN NEW;
END $$;

CREATE FUNCTION runbooks_approval_by_another(given runbooks_approval) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    author bigint;
BEGIN
    IF given.decided_by_id IS NULL OR NOT runbooks_may_approve(given.decided_by_id) THEN
        PERFORM runbooks_refuse('Only an active team lead can approve what destroys something.');
    END IF;
    IF runbooks_same_person(given.decided_by_id, given.requested_by_id) THEN
        PERFORM runbooks_refuse('Whoever asked does not approve: another lead has to.');
    END IF;
    FOREACH author IN ARRAY given.authors || runbooks_authors(given.step_run_id) LOOP
        IF runbooks_same_person(author, given.decided_by_id) THEN
            PERFORM runbooks_refuse('Whoever wrote or published this text does not approve it: another lead has to.');
        END IF;
        IF runbooks_same_person(author, given.requested_by_id) THEN
            PERFORM runbooks_refuse('Whoever wrote or published this text does not ask for it: somebody else has to.');
        END IF;
    END LOOP;
    IF EXISTS (
        SELECT 1 FROM erpops_auditentry entry JOIN auth_user asker ON asker.id = given.requested_by_id
        WHERE entry.target = 'user:' || given.decided_by_id AND entry.actor = asker.username
          AND entry.action LIKE 'person.%' AND entry.action <> 'person.own_password' AND entry.at >= given.asked_at)
    THEN
        PERFORM runbooks_refuse('Whoever asked has changed this account since: another lead has to approve.');
    END IF;
END $$;

CREATE FUNCTION runbooks_approval_alone(given runbooks_approval) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF given.decided_by_id IS DISTINCT FROM given.requested_by_id
        OR NOT runbooks_may_approve(given.requested_by_id) THEN
        PERFORM runbooks_refuse('Only a team lead goes ahead alone, with what they asked for themselves.');
    END IF;
    IF given.way = 'solo' AND (runbooks_approvers() <> 1 OR now() < given.asked_at + interval '60 seconds') THEN
        PERFORM runbooks_refuse('Going ahead alone takes 60 seconds, and that nobody else could approve.');
    END IF;
    IF given.way = 'break_glass' AND (length(btrim(given.comment)) < 10
        OR now() < given.asked_at + interval '5 minutes'
        OR NOT EXISTS (
            SELECT 1 FROM runbooks_steprun here JOIN runbooks_execution walk ON walk.id = here.execution_id
            JOIN incidents_incident incident ON incident.id = walk.incident_id
            WHERE here.id = given.step_run_id AND incident.severity = 'SEV1' AND incident.status <> 'resolved'))
    THEN
        PERFORM runbooks_refuse('Breaking the glass takes an open SEV1, 5 minutes without an answer, and a reason.');
    END IF;
END $$;

CREATE FUNCTION runbooks_approval_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.step_run_id, NEW.command, NEW.digest, NEW.text, NEW.doing, NEW.target, NEW.reason,
        NEW.requested_by_id, NEW.authors, NEW.asked_at) IS DISTINCT FROM
       (OLD.id, OLD.step_run_id, OLD.command, OLD.digest, OLD.text, OLD.doing, OLD.target, OLD.reason,
        OLD.requested_by_id, OLD.authors, OLD.asked_at) THEN
        PERFORM runbooks_refuse('What an approval was asked for never changes: ask again.');
    END IF;
    IF NEW.status = OLD.status OR OLD.status = 'approved' THEN
        IF (NEW.way, NEW.decided_by_id, NEW.decided_at, NEW.comment, NEW.expires_at) IS DISTINCT FROM
           (OLD.way, OLD.decided_by_id, OLD.decided_at, OLD.comment, OLD.expires_at)
           OR (NEW.status = OLD.status AND NEW.used_at IS DISTINCT FROM OLD.used_at) THEN
            PERFORM runbooks_refuse('An answer never changes: ask again.');
        END IF;
    END IF;
    IF NEW.status = OLD.status THEN
        RETURN NEW;
    END IF;
    NEW.used_at := NULL;
    CASE OLD.status || ' to ' || NEW.status
    WHEN 'asked to approved' THEN
        IF OLD.expires_at <= now() THEN
            PERFORM runbooks_refuse('Nobody answered within 15 minutes: ask again.');
        END IF;
        IF NEW.way = 'second' THEN
            PERFORM runbooks_approval_by_another(NEW);
        ELSIF NEW.way IN ('solo', 'break_glass') THEN
            PERFORM runbooks_approval_alone(NEW);
        ELSE
            PERFORM runbooks_refuse('An approval says how it was given.');
        END IF;
        NEW.decided_at := now();
        NEW.expires_at := now() + interval '15 minutes';
    WHEN 'approved to used' THEN
        IF OLD.expires_at <= now() THEN
            PERFORM runbooks_refuse('The approval is older than 15 minutes: ask again.');
        END IF;
        IF NOT EXISTS (SELECT 1 FROM auth_user WHERE id = OLD.requested_by_id AND is_active)
            OR NOT runbooks_may_approve(OLD.decided_by_id) THEN
            PERFORM runbooks_refuse('Whoever asked or approved may not do so any more: ask again.');
        END IF;
        IF OLD.way = 'solo' AND runbooks_approvers() <> 1 THEN
            PERFORM runbooks_refuse('Somebody else could approve by now: ask them.');
        END IF;
        NEW.used_at := now();
    WHEN 'asked to rejected', 'asked to withdrawn', 'approved to withdrawn' THEN
        NULL;
    WHEN 'asked to expired', 'approved to expired' THEN
        IF OLD.expires_at > now() THEN
            PERFORM runbooks_refuse('It has not expired yet.');
        END IF;
    ELSE
        PERFORM runbooks_refuse('An approval cannot go from ' || OLD.status || ' to ' || NEW.status || '.');
    END CASE;
    RETURN NEW;
END $$;

CREATE FUNCTION runbooks_run_is_allowed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.approval_id IS NULL AND NOT (NEW.risk = 'destroy' AND EXISTS (
        SELECT 1 FROM runbooks_steprun here JOIN runbooks_execution walk ON walk.id = here.execution_id
        JOIN incidents_environment place ON place.id = walk.environment_id
        WHERE here.id = NEW.step_run_id AND place.is_production)) THEN
        RETURN NEW;
    END IF;
    -- Used in this very transaction (now() is its start), so that none is kept for later.
    IF NOT EXISTS (
        SELECT 1 FROM runbooks_approval given WHERE given.id = NEW.approval_id AND given.status = 'used'
          AND given.used_at = now() AND given.digest = NEW.digest AND given.step_run_id = NEW.step_run_id
          AND given.command = NEW.command AND given.requested_by_id = NEW.requested_by_id) THEN
        PERFORM runbooks_refuse('It destroys something, so another lead has to approve exactly this first.');
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION runbooks_run_stays_itself() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.step_run_id, NEW.command, NEW.script, NEW.risk, NEW.digest, NEW.queue, NEW.requested_by_id,
        NEW.approval_id) IS DISTINCT FROM
       (OLD.step_run_id, OLD.command, OLD.script, OLD.risk, OLD.digest, OLD.queue, OLD.requested_by_id,
        OLD.approval_id) THEN
        PERFORM runbooks_refuse('What was asked to run never changes.');
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER approval_asked BEFORE INSERT ON runbooks_approval
    FOR EACH ROW EXECUTE FUNCTION runbooks_approval_asked();
CREATE TRIGGER approval_moves BEFORE UPDATE ON runbooks_approval
    FOR EACH ROW EXECUTE FUNCTION runbooks_approval_moves();
CREATE TRIGGER run_is_allowed BEFORE INSERT ON runbooks_commandrun
    FOR EACH ROW WHEN (NEW.risk = 'destroy' OR NEW.approval_id IS NOT NULL)
    EXECUTE FUNCTION runbooks_run_is_allowed();
CREATE TRIGGER run_stays_itself
    BEFORE UPDATE OF step_run_id, command, script, risk, digest, queue, requested_by_id, approval_id
    ON runbooks_commandrun FOR EACH ROW EXECUTE FUNCTION runbooks_run_stays_itself();
"""
UNGUARD = """
DROP TRIGGER approval_asked ON runbooks_approval;
DROP TRIGGER approval_moves ON runbooks_approval;
DROP TRIGGER run_is_allowed ON runbooks_commandrun;
DROP TRIGGER run_stays_itself ON runbooks_commandrun;
DROP FUNCTION runbooks_run_stays_itself();
DROP FUNCTION runbooks_run_is_allowed();
DROP FUNCTION runbooks_approval_moves();
DROP FUNCTION runbooks_approval_alone(runbooks_approval);
DROP FUNCTION runbooks_approval_by_another(runbooks_approval);
DROP FUNCTION runbooks_approval_asked();
DROP FUNCTION runbooks_refuse(text);
DROP FUNCTION runbooks_authors(bigint);
DROP FUNCTION runbooks_approvers();
DROP FUNCTION runbooks_may_approve(bigint);
DROP FUNCTION runbooks_same_person(bigint, bigint);
DROP FUNCTION runbooks_person(bigint);
"""


class Migration(migrations.Migration):
    dependencies = [("runbooks", "0009_approvals"), ("incidents", "0001_initial"), ("erpops", "0002_append_only")]

    operations = [migrations.RunSQL(GUARD, UNGUARD)]
