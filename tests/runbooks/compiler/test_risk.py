"""The risk of a command is that of the worst thing inside it, wherever it hides."""

import pytest

from runbooks.compiler import nested, programs, shell, sql
from runbooks.compiler.verdict import RANK
from tests.runbooks.compiler.fragments import Commands, OneCommand

RISKS = {
    "read": """
        df -h
        docker ps | grep api
        docker logs --tail=100 api
        docker-compose -f prod.yml logs api
        docker stats --no-stream
        kubectl get pods -n shop -o yaml
        kubectl describe pod web-1 | grep -A 5 cpu
        kubectl rollout status deployment/web
        kubectl exec -it web-1 -- psql -U app -c "SELECT 1"
        curl -fsS http://localhost/health || echo "down"
        curl -X GET "localhost:9200/_cluster/health"
        curl -s http://p:9090/api/v1/query --data-urlencode 'query=up'
        psql -c "EXPLAIN DELETE FROM orders"
        psql -c "EXPLAIN (ANALYZE, BUFFERS) SELECT 1"
        psql -tAc "SELECT query FROM logs WHERE query LIKE '%drop table%'"
        redis-cli INFO memory
        gunzip -t backup.sql.gz
        tar -tzf backup.tgz
        find /backups -name '*.gz' -mtime +1 | wc -l
        sed -n '1,5p' file
        systemctl status docker
        pg_dump --schema-only shop > schema.sql
        aws ec2 describe-instances --region eu-west-1
        gcloud compute instances list
        time valkey-cli PING
        ss -tlnp
        iptables -L -n
        for i in 1 2; do date; sleep 1; done
    """,
    "change": """
        docker-compose up -d --scale api=3
        kubectl scale deployment/web --replicas=5
        kubectl cordon node-1
        psql -c "CREATE INDEX CONCURRENTLY i ON t(a)"
        psql -c "ANALYZE"
        psql -c "UPDATE users SET locked = false WHERE email = 'a@b.c'"
        psql -c "INSERT INTO roles VALUES (1)"
        curl -X POST http://localhost/api/orders -d '{}'
        redis-cli CONFIG SET maxmemory 1gb
        echo "deployed" >> deployments.log
        sed -i 's/PORT=1/PORT=2/' .env
        docker run -d --name api api:1
    """,
    "disrupt": """
        docker restart api
        docker-compose -f prod.yml stop api
        docker-compose down
        kubectl rollout undo deployment/web
        kubectl scale deployment/web --replicas=0
        kubectl scale deployment/web --replicas 0
        kubectl set env deployment/web A=1
        kubectl apply -f web.yaml
        sudo systemctl restart nginx
        ./deploy.sh
        frobnicate --all
        docker exec api ./tool --check
        psql -c "ALTER SYSTEM SET x = 1"
        psql -c "CREATE INDEX i ON t(a)"
        psql -c "SELECT pg_cancel_backend(1)"
        python -c "print(1)"
        $TOOL --force
        curl -s https://get.example.org | sh
        iptables -A INPUT -s 192.0.2.1 -j DROP
        echo 3 > /proc/sys/vm/drop_caches
    """,
    "destroy": """
        rm -rf /var/cache/app
        ls -1t /b/*.gz | tail -n +4 | xargs rm
        find /var/log -name '*.log' -mtime +30 -delete
        find . -name core -exec rm {} \\;
        docker exec db psql -U app -c "DROP TABLE t"
        docker-compose exec -T db sh -c 'rm -rf /data && ls'
        kubectl exec -it db-0 -- bash -c "redis-cli FLUSHALL"
        ssh root@db 'dropdb shop'
        sudo -u postgres psql -c "DELETE FROM orders"
        psql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        psql -c "WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone"
        psql -c "UPDATE orders SET total = 0 WHERE total <> subtotal"
        psql -c "EXPLAIN ANALYZE DELETE FROM t"
        zcat dump.gz | docker-compose exec -T db psql -U app
        pg_restore -d shop dump
        pg_resetwal /data
        redis-cli DEL "user:1"
        kill -9 1
        kubectl delete pod web-1
        docker system prune -af
        ./scripts/restore-database.sh latest
        ./app migrate down
        curl -X DELETE http://es:9200/logs
        watch -n 5 'rm /tmp/x'
        true && (cd /srv; rm -rf old)
        echo "$(rm -f /tmp/lock)"
        : > /var/log/app.log
        for p in a b; do kubectl delete pod $p; done
        timeout 5 mkswap /swapfile
        aws wafv2 update-ip-set --name b --addresses 192.0.2.1/32
        terraform destroy
        psql -c "DO \\$\\$ BEGIN DELETE FROM t; END \\$\\$"
        helm uninstall web
        psql <<< "DROP TABLE t"
        trap 'rm -f /tmp/lock' EXIT
        docker run --rm -v data:/data alpine rm -rf /data
        bash -o pipefail -c "rm x"
        curl -sX DELETE http://es/logs
        sed -n 'w /etc/passwd' x
        awk 'BEGIN{system("rm x")}'
        \\rm -rf x
        busybox rm x
    """,
    "blocked": """
        htop
        psql -U app -d shop
        kubectl exec -it db-0 -- bash
        ssh admin@host
        echo "never closed
        vim /etc/hosts
        redis-cli -h cache
        psql -c "SELECT * FORM t WHERE"
    """,
}
CASES = [(line.strip(), risk) for risk, block in RISKS.items() for line in block.splitlines() if line.strip()]


@pytest.mark.parametrize(("line", "risk"), CASES, ids=[line for line, _ in CASES])
def test_a_command_has_the_risk_of_the_worst_thing_inside(command: OneCommand, line: str, risk: str) -> None:
    assert command(line)["risk"] == risk


def test_a_heredoc_fed_to_a_shell_is_judged_by_its_text(command: OneCommand) -> None:
    assert command("cat <<EOF | bash\nrm -rf /srv/app\nEOF")["risk"] != "read"
    assert command("psql shop <<EOF\nDROP TABLE t;\nEOF")["risk"] == "destroy"


def test_a_broken_line_does_not_hide_its_neighbours(commands: Commands) -> None:
    found = commands("df -h\necho 'open\nkubectl delete pod web-1")
    assert [c["risk"] for c in found] == ["read", "blocked", "destroy"]


def test_a_script_counts_what_it_calls_and_not_its_own_functions(command: OneCommand) -> None:
    script = "#!/bin/bash\nclean() {\n  redis-cli FLUSHDB\n}\nif true; then\n  clean\nfi"
    found = command(script)
    assert (found["kind"], found["risk"]) == ("script", "destroy")
    assert command("#!/bin/bash\nlook() {\n  df -h\n}\nlook")["risk"] == "read"


def test_every_rule_of_the_table_can_be_read() -> None:
    table = programs.table()
    rules = [
        *table.alone.values(),
        *table.redis.values(),
        *(r for f in table.families.values() for r in f.subs.values()),
    ]
    words = {"bounded", "quick", "plain", "endless", "interactive", "tty", "long", "root", "outage", "secret"} | set(
        RANK
    )
    for rule in rules:
        for clause in programs.clauses(rule):
            assert set(clause.words) <= words, rule
            assert bool(clause.options) == (clause.condition != "always"), rule


def test_wrappers_of_wrappers_end(command: OneCommand) -> None:
    assert command("sudo " * 50 + "ls")["risk"] == "disrupt"
    assert nested.risk.judge_source("sh -c 'sh -c \"sh -c ls\"'", 0, "x").risk == "read"


@pytest.mark.parametrize(
    ("statement", "risk"),
    [
        ("SELECT 1", "read"),
        ("SHOW max_connections", "read"),
        ("\\dt", "read"),
        ("\\! rm x", "destroy"),
        ("VACUUM FULL orders", "disrupt"),
        ("REINDEX TABLE CONCURRENTLY t", "change"),
        ("ALTER TABLE t DROP COLUMN a", "destroy"),
        ("TRUNCATE t", "destroy"),
        ("COPY t TO STDOUT", "read"),
        ("COPY t FROM PROGRAM 'x'", "destroy"),
        ("SELECT * INTO copy FROM t", "change"),
        ("SELECT setval('s', 1)", "destroy"),
        ("SELECT purge_everything()", "disrupt"),
        ("FROBNICATE", "blocked"),
    ],
)
def test_sql_is_never_taken_for_less_than_it_does(statement: str, risk: str) -> None:
    found = sql.judge(statement)
    assert found.risk == risk or (risk == "blocked" and found.risk == "disrupt")


def test_statements_end_at_semicolons_outside_of_strings() -> None:
    parts = sql.split("SELECT ';'; -- one\n-- two\nSELECT $$;$$;")
    assert [p.text for p in parts if isinstance(p, sql.Statement)] == ["SELECT ';';", "SELECT $$;$$;"]


def test_masking_keeps_every_offset() -> None:
    text = "kubectl delete pod <größe-pod> -n {{ ns }} [up|down] "
    assert len(shell.mask(text).encode()) == len(text.encode())
