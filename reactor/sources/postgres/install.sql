-- What lets Reactor hear of changes of tables at once, with nothing lost while it is away. Needs a superuser (event triggers do, before
-- PostgreSQL 17 and on most hosted servers an equivalent role). Harmless to run again. To remove: DROP SCHEMA reactor CASCADE.
-- The triggers never fail a statement of yours: what goes wrong in them is a warning.

CREATE SCHEMA IF NOT EXISTS reactor;

CREATE TABLE IF NOT EXISTS reactor.schema_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    command text NOT NULL,
    name text NOT NULL,
    columns jsonb
);
COMMENT ON TABLE reactor.schema_log IS 'Changes of tables: their columns after each, or none where they were dropped. Kept for 90 days.';

CREATE OR REPLACE FUNCTION reactor.columns_of(relation oid) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog AS $body$
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'nullable', NOT a.attnotnull,
        'has_default', a.atthasdef OR a.attidentity <> '', 'position', a.attnum,
        'labels', (SELECT jsonb_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = a.atttypid)) ORDER BY a.attnum), '[]')
    FROM pg_attribute a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
$body$;

CREATE OR REPLACE FUNCTION reactor.note_changes() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $body$
BEGIN
    INSERT INTO reactor.schema_log (command, name, columns)
    SELECT DISTINCT c.command_tag, n.nspname || '.' || k.relname, reactor.columns_of(k.oid)
    FROM pg_event_trigger_ddl_commands() c
    JOIN pg_class k ON c.classid = 'pg_class'::regclass AND k.oid = c.objid AND k.relkind IN ('r', 'p', 'v', 'm', 'f')
    JOIN pg_namespace n ON n.oid = k.relnamespace
    WHERE n.nspname <> 'reactor' AND n.nspname !~ '^pg_';
    IF FOUND THEN
        DELETE FROM reactor.schema_log WHERE at < now() - interval '90 days';
        PERFORM pg_notify('reactor_schema', '');
    END IF;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'Reactor could not note this change (%); it will be found by comparing.', SQLERRM;
END
$body$;

CREATE OR REPLACE FUNCTION reactor.note_drops() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $body$
BEGIN
    INSERT INTO reactor.schema_log (command, name)
    SELECT TG_TAG, d.schema_name || '.' || d.object_name
    FROM pg_event_trigger_dropped_objects() d
    WHERE d.object_type IN ('table', 'view', 'materialized view', 'foreign table')
      AND d.schema_name <> 'reactor' AND NOT d.is_temporary;
    IF FOUND THEN
        PERFORM pg_notify('reactor_schema', '');
    END IF;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'Reactor could not note this drop (%); it will be found by comparing.', SQLERRM;
END
$body$;

DROP EVENT TRIGGER IF EXISTS reactor_changes;
CREATE EVENT TRIGGER reactor_changes ON ddl_command_end EXECUTE FUNCTION reactor.note_changes();
DROP EVENT TRIGGER IF EXISTS reactor_drops;
CREATE EVENT TRIGGER reactor_drops ON sql_drop EXECUTE FUNCTION reactor.note_drops();

GRANT USAGE ON SCHEMA reactor TO PUBLIC;
GRANT SELECT ON reactor.schema_log TO PUBLIC;
