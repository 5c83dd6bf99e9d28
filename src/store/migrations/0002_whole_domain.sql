-- SPDX-License-Identifier: MIT
-- What the contract has beyond the main job: stacks and images, test runs, dashboards; and beyond
-- the contract: grants, sessions, scoped tokens, secret values, versions, an audit log.

-- --- stacks and images ---

CREATE TABLE stacks (
    id @ID@,
    name TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL DEFAULT '',
    base_image_url TEXT,
    script_name TEXT,                   -- file name of the provisioning script
    script_sha256 TEXT,                 -- its blob
    row_version BIGINT NOT NULL DEFAULT 1
);

CREATE TABLE images (
    id @ID@,
    stack_id BIGINT REFERENCES stacks (id),
    name TEXT NOT NULL UNIQUE,          -- <stack>_<YYYYMMDD>_<n>
    file TEXT,                          -- images/<name>/images/<name>.tar.gz
    file_md5 TEXT,
    file_sha256 TEXT,
    base_image_url TEXT NOT NULL DEFAULT '',
    base_image_name TEXT NOT NULL DEFAULT '',
    provisioning_script_url TEXT NOT NULL DEFAULT '',
    build_log TEXT,                     -- images/<name>.log
    active SMALLINT NOT NULL DEFAULT 0, -- of several the newest counts
    created_us BIGINT NOT NULL DEFAULT 0,
    row_version BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX images_by_stack ON images (stack_id, active);

ALTER TABLE apps ADD COLUMN stack_id BIGINT REFERENCES stacks (id);
ALTER TABLE builds ADD COLUMN image_id BIGINT REFERENCES images (id);

-- --- repositories ---

-- `alias://x/y` of an app's URL stands for `<url>x/y`: the server's configuration, copied at its start.
CREATE TABLE schemes (
    alias TEXT PRIMARY KEY,
    url TEXT NOT NULL
);

-- --- rollouts that belong together ---

ALTER TABLE rollouts ADD COLUMN group_id TEXT;  -- common to those of one action on many swarms
ALTER TABLE rollouts ADD COLUMN error_left TEXT NOT NULL DEFAULT '';  -- what a failure left as it was, when it ended
ALTER TABLE rollouts ADD COLUMN retry_of TEXT;  -- the one whose inputs it took over
CREATE INDEX rollouts_by_group ON rollouts (group_id) WHERE group_id IS NOT NULL;
CREATE INDEX rollouts_by_retry ON rollouts (retry_of) WHERE retry_of IS NOT NULL;

-- Of merged config and env, without a build's part: what a swarm has now, and what a rollout froze.
-- They differ if what runs is outdated; '' is unknown.
ALTER TABLE swarms ADD COLUMN config_sha256 TEXT NOT NULL DEFAULT '';
ALTER TABLE rollouts ADD COLUMN config_sha256 TEXT NOT NULL DEFAULT '';

-- --- test runs ---

CREATE TABLE testruns (
    id @ID@,
    user_id BIGINT,                     -- who asked for it; null: the schedule
    start_us BIGINT NOT NULL,
    end_us BIGINT                       -- null while it is under way: one at a time
);
CREATE INDEX testruns_open ON testruns (id) WHERE end_us IS NULL;

CREATE TABLE testresults (
    id @ID@,
    testrun_id BIGINT NOT NULL REFERENCES testruns (id),
    time_us BIGINT NOT NULL,
    hostname TEXT NOT NULL,
    procname TEXT NOT NULL,
    proc_id BIGINT,                     -- may be gone meanwhile
    test_n BIGINT NOT NULL DEFAULT 0,   -- the proc's test that answers, or a later one
    deadline_us BIGINT NOT NULL DEFAULT 0,  -- of an answer, once it was asked for
    state TEXT NOT NULL DEFAULT 'todo', -- todo, asked, done
    passed SMALLINT NOT NULL DEFAULT 0,
    testcount BIGINT NOT NULL DEFAULT 0,
    results_json TEXT NOT NULL DEFAULT '[]' -- [{Name, Output, Passed}]
);
CREATE INDEX testresults_by_run ON testresults (testrun_id, id);
CREATE INDEX testresults_open ON testresults (testrun_id, state) WHERE state <> 'done';

-- --- dashboards and profiles ---

CREATE TABLE dashboards (
    id @ID@,
    name TEXT NOT NULL,
    slug TEXT NOT NULL UNIQUE,
    row_version BIGINT NOT NULL DEFAULT 1
);

CREATE TABLE dashboard_apps (
    dashboard_id BIGINT NOT NULL REFERENCES dashboards (id),
    app_id BIGINT NOT NULL REFERENCES apps (id),
    PRIMARY KEY (dashboard_id, app_id)
);
CREATE INDEX dashboard_apps_by_app ON dashboard_apps (app_id);

-- One a user, made when it is first asked for.
CREATE TABLE profiles (
    id @ID@,
    user_id BIGINT NOT NULL UNIQUE REFERENCES users (id),
    default_dashboard_id BIGINT REFERENCES dashboards (id),
    row_version BIGINT NOT NULL DEFAULT 1
);

CREATE TABLE profile_dashboards (
    profile_id BIGINT NOT NULL REFERENCES profiles (id),
    dashboard_id BIGINT NOT NULL REFERENCES dashboards (id),
    PRIMARY KEY (profile_id, dashboard_id)
);

-- --- rights ---

-- Raises the role of a user for what belongs to one app. The role in `users` is good for everything.
CREATE TABLE grants (
    id @ID@,
    user_id BIGINT NOT NULL REFERENCES users (id),
    app_id BIGINT NOT NULL REFERENCES apps (id),
    role TEXT NOT NULL,                 -- deployer
    UNIQUE (user_id, app_id)
);
CREATE INDEX grants_by_app ON grants (app_id);

-- A token can do what its user can, but no more than its role, and only for its app if it has one.
ALTER TABLE tokens ADD COLUMN role TEXT NOT NULL DEFAULT 'admin';
ALTER TABLE tokens ADD COLUMN app_id BIGINT REFERENCES apps (id);

CREATE TABLE sessions (
    id @ID@,
    user_id BIGINT NOT NULL REFERENCES users (id),
    session_sha256 TEXT NOT NULL UNIQUE,    -- of the cookie
    csrf TEXT NOT NULL,                 -- what X-CSRFToken must say
    remote TEXT NOT NULL DEFAULT '',
    created_us BIGINT NOT NULL,
    seen_us BIGINT NOT NULL,
    expires_us BIGINT NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);

-- --- secret values ---

-- A value that nobody reads back. Where it stands in a config or env document the document has
-- {"$secret": <id>}. The same value is one row. Rows are never changed but by a change of the key,
-- so that what was frozen stays what it was; they go when nothing refers to them any more.
CREATE TABLE secrets (
    id @ID@,
    sealed TEXT NOT NULL,               -- base64 of nonce and box, by the key `key_id`
    key_id TEXT NOT NULL,
    fingerprint TEXT NOT NULL UNIQUE,   -- keyed BLAKE2b of the value: what hashes of releases contain
    user_id BIGINT,                     -- who set it first
    created_us BIGINT NOT NULL
);
CREATE INDEX secrets_by_key ON secrets (key_id, id);

-- The secrets of an ingredient or a swarm, apart from its plain keys:
-- {"DB_PASSWORD": {"$secret": <id>, "set": "2026-11-22T16:00:00Z", "by": "ann"}}.
ALTER TABLE ingredients ADD COLUMN secret_config_json TEXT NOT NULL DEFAULT '{}';
ALTER TABLE ingredients ADD COLUMN secret_env_json TEXT NOT NULL DEFAULT '{}';
ALTER TABLE swarms ADD COLUMN secret_config_json TEXT NOT NULL DEFAULT '{}';
ALTER TABLE swarms ADD COLUMN secret_env_json TEXT NOT NULL DEFAULT '{}';

-- A repository's URL as it is shown and searched, if it has credentials, which are masked in it.
ALTER TABLE apps ADD COLUMN shown_url TEXT;
ALTER TABLE buildpacks ADD COLUMN shown_url TEXT;

-- --- history ---

-- What an entity was after a change: the fields that a user may write, as they would be sent.
CREATE TABLE versions (
    id @ID@,
    resource TEXT NOT NULL,             -- apps, swarms, …
    object_id BIGINT NOT NULL,
    object_name TEXT NOT NULL,          -- then
    row_version BIGINT NOT NULL,
    action TEXT NOT NULL,               -- create, update, delete, restore, found, import
    user_id BIGINT,
    username TEXT NOT NULL DEFAULT '',
    time_us BIGINT NOT NULL,
    comment TEXT NOT NULL DEFAULT '',
    data_json TEXT NOT NULL
);
CREATE INDEX versions_by_object ON versions (resource, object_id, id);
CREATE INDEX versions_by_name ON versions (resource, object_name, id);

-- The audit log: the contract's entry, and what it was about.
ALTER TABLE events ADD COLUMN app_id BIGINT;  -- whose streams get it; NULL: all
ALTER TABLE log_entries ADD COLUMN username TEXT NOT NULL DEFAULT '';  -- then; the user may be gone
ALTER TABLE log_entries ADD COLUMN via TEXT NOT NULL DEFAULT '';       -- basic, token <name>, session, engine
ALTER TABLE log_entries ADD COLUMN resource TEXT NOT NULL DEFAULT '';
ALTER TABLE log_entries ADD COLUMN object_id BIGINT;
ALTER TABLE log_entries ADD COLUMN object_name TEXT NOT NULL DEFAULT '';
ALTER TABLE log_entries ADD COLUMN app_id BIGINT;
ALTER TABLE log_entries ADD COLUMN app_name TEXT NOT NULL DEFAULT '';  -- then
ALTER TABLE log_entries ADD COLUMN rollout_id TEXT;
ALTER TABLE log_entries ADD COLUMN detail TEXT NOT NULL DEFAULT '';    -- what changed
CREATE INDEX log_entries_by_time ON log_entries (time_us);
CREATE INDEX log_entries_by_type ON log_entries (type, id);
CREATE INDEX log_entries_by_object ON log_entries (resource, object_id, id);
CREATE INDEX log_entries_by_app ON log_entries (app_name, id);

-- --- schedules and retention ---

-- The last and the next run of each scheduled task, so that a restart neither repeats nor forgets.
CREATE TABLE schedules (
    task TEXT PRIMARY KEY,              -- uptests, builds, retention, hosts
    planned_us BIGINT NOT NULL DEFAULT 0,
    asked SMALLINT NOT NULL DEFAULT 0,  -- somebody wants it now
    runs BIGINT NOT NULL DEFAULT 0,     -- begun so far; of `hosts`: what hosts compare
    started_us BIGINT,
    ended_us BIGINT,                    -- null while it runs
    result TEXT NOT NULL DEFAULT ''     -- one sentence
);

-- Of config and environment as hosts get them, secrets in plain.
ALTER TABLE releases ADD COLUMN config_bytes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE releases ADD COLUMN pinned SMALLINT NOT NULL DEFAULT 0; -- never collected
CREATE INDEX builds_by_blob ON builds (file_sha256);
CREATE INDEX rollouts_by_end ON rollouts (ended_us);
CREATE INDEX builds_by_job ON builds (job_id);
CREATE INDEX commands_by_proc ON commands (proc_id);
-- Lists: a page is found, and counted, in these alone, without the wide rows themselves.
CREATE INDEX procs_live ON procs (id) WHERE (actual <> 'stopped' OR desired <> 'stop');
CREATE INDEX rollouts_by_seq ON rollouts (seq);
CREATE INDEX rollouts_by_state ON rollouts (state, seq);
CREATE INDEX rollouts_by_result ON rollouts (result, seq);
-- The last five that were done: how long is usual.
CREATE INDEX rollouts_usual ON rollouts (swarm_id, kind, result, seq);
CREATE INDEX builds_usual ON builds (app_id, status, id);
