from django.db import migrations

# The digest covers every column that says what was done. jsonb's text form is canonical.
GUARD = """
CREATE FUNCTION erpops_audit_digest(entry erpops_auditentry) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT encode(sha256(convert_to(concat_ws(chr(31),
        entry.prev_hash, entry.seq, extract(epoch FROM entry.at)::text,
        entry.actor, entry.action, entry.target, entry.details::text), 'UTF8')), 'hex')
$$;

CREATE FUNCTION erpops_audit_link() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last record;
    entry erpops_auditentry;
BEGIN
    PERFORM pg_advisory_xact_lock(7267001);
    SELECT seq, hash INTO last FROM erpops_auditentry WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1;
    SELECT * INTO entry FROM erpops_auditentry WHERE id = NEW.id;
    entry.seq := coalesce(last.seq, 0) + 1;
    entry.prev_hash := coalesce(last.hash, repeat('0', 64));
    entry.hash := erpops_audit_digest(entry);
    UPDATE erpops_auditentry SET seq = entry.seq, prev_hash = entry.prev_hash, hash = entry.hash WHERE id = NEW.id;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER audit_link AFTER INSERT ON erpops_auditentry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION erpops_audit_link();

CREATE FUNCTION erpops_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.seq IS NULL
        AND (OLD.id, OLD.at, OLD.actor, OLD.action, OLD.target, OLD.details)
          = (NEW.id, NEW.at, NEW.actor, NEW.action, NEW.target, NEW.details) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON erpops_auditentry
    FOR EACH ROW EXECUTE FUNCTION erpops_append_only();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON erpops_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION erpops_append_only();
"""
UNGUARD = """
DROP TRIGGER audit_link ON erpops_auditentry;
DROP TRIGGER audit_append_only ON erpops_auditentry;
DROP TRIGGER audit_no_truncate ON erpops_auditentry;
DROP FUNCTION erpops_audit_link();
DROP FUNCTION erpops_append_only();
DROP FUNCTION erpops_audit_digest(erpops_auditentry);
"""


class Migration(migrations.Migration):
    dependencies = [("erpops", "0001_initial")]

    operations = [migrations.RunSQL(GUARD, UNGUARD)]
