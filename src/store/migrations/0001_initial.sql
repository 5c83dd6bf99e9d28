-- SPDX-License-Identifier: MIT
-- The first schema. Forward only: a later change is a file of its own.
--
-- @ID@ is the driver's auto-increment primary key that never reuses a number. Times are BIGINT
-- microseconds since 1970 (`_us`), booleans SMALLINT, JSON documents TEXT. `row_version` rises with
-- every change that a user can make and is the entity's ETag. Names are checked in src/model.

CREATE TABLE settings (
    name TEXT PRIMARY KEY,              -- cluster_id, secrets_salt, …
    value TEXT NOT NULL
);

-- One row. Raised in the transaction that writes an event, as its last statement, so that id order
-- is commit order on every database.
CREATE TABLE counters (
    name TEXT PRIMARY KEY,              -- 'event'
    value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('event', 0);

CREATE TABLE users (
    id @ID@,
    username TEXT NOT NULL UNIQUE,
    password TEXT NOT NULL,             -- argon2id string, or an imported pbkdf2_sha256 one
    role TEXT NOT NULL DEFAULT 'deployer',  -- viewer, deployer, admin
    first_name TEXT NOT NULL DEFAULT '',
    last_name TEXT NOT NULL DEFAULT '',
    email TEXT NOT NULL DEFAULT '',
    is_active SMALLINT NOT NULL DEFAULT 1,
    must_change_password SMALLINT NOT NULL DEFAULT 0,
    last_login_us BIGINT,
    joined_us BIGINT NOT NULL,
    row_version BIGINT NOT NULL DEFAULT 1
);

CREATE TABLE tokens (
    id @ID@,
    user_id BIGINT NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    token_sha256 TEXT NOT NULL UNIQUE,  -- of the whole token text; the token itself is never stored
    created_us BIGINT NOT NULL,
    expires_us BIGINT,
    last_used_us BIGINT,
    UNIQUE (user_id, name)
);

CREATE TABLE buildpacks (
    id @ID@,
    repo_url TEXT NOT NULL UNIQUE,      -- may end in #rev; builtin:NAME for those we ship
    repo_type TEXT NOT NULL DEFAULT 'git',
    description TEXT NOT NULL DEFAULT '',
    ord BIGINT NOT NULL DEFAULT 0,
    row_version BIGINT NOT NULL DEFAULT 1
);

CREATE TABLE apps (
    id @ID@,
    name TEXT NOT NULL UNIQUE,
    repo_url TEXT NOT NULL,
    repo_type TEXT NOT NULL,
    buildpack_id BIGINT REFERENCES buildpacks (id),
    row_version BIGINT NOT NULL DEFAULT 1
);

CREATE TABLE ingredients (
    id @ID@,
    name TEXT NOT NULL UNIQUE,
    config_yaml TEXT NOT NULL DEFAULT '',   -- canonical text; '' if empty
    config_json TEXT NOT NULL DEFAULT '{}',
    env_yaml TEXT NOT NULL DEFAULT '',
    env_json TEXT NOT NULL DEFAULT '{}',
    row_version BIGINT NOT NULL DEFAULT 1
);

CREATE TABLE squads (
    id @ID@,
    name TEXT NOT NULL UNIQUE,
    loss_ack_us BIGINT NOT NULL DEFAULT 0,  -- an operator said that the loss of most hosts is real
    row_version BIGINT NOT NULL DEFAULT 1
);

CREATE TABLE hosts (
    id @ID@,
    name TEXT NOT NULL UNIQUE,
    active SMALLINT NOT NULL DEFAULT 1,
    squad_id BIGINT REFERENCES squads (id),
    address TEXT NOT NULL DEFAULT '',   -- IP that balancers use
    roles TEXT NOT NULL DEFAULT '["app"]',  -- JSON: app, build, balancer
    token_sha256 TEXT,                  -- null until enrolled
    session BIGINT NOT NULL DEFAULT 0,  -- grows each time it is taken back after being lost
    state TEXT NOT NULL DEFAULT 'new',  -- new, live, suspect, lost, gone
    state_us BIGINT NOT NULL DEFAULT 0,
    last_seen_us BIGINT NOT NULL DEFAULT 0,
    synced SMALLINT NOT NULL DEFAULT 0, -- has sent a full report since it was last lost
    report_seq BIGINT NOT NULL DEFAULT 0,
    boot_id TEXT NOT NULL DEFAULT '',
    agent_version TEXT NOT NULL DEFAULT '',
    facts_json TEXT NOT NULL DEFAULT '{}',  -- capacity, runtime, kernel, as reported at its start
    usage_json TEXT NOT NULL DEFAULT '{}',  -- last usage reported
    rev BIGINT NOT NULL DEFAULT 1,      -- of its desired state; compared for equality only
    row_version BIGINT NOT NULL DEFAULT 1
);

-- kind: resolve, build. A job belongs to a host once it is leased.
CREATE TABLE jobs (
    id @ID@,
    kind TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting',  -- waiting, leased, done, failed, cancelled
    host_id BIGINT REFERENCES hosts (id),
    build_id BIGINT,
    rollout_id TEXT,                    -- of a resolve job
    spec_json TEXT NOT NULL,
    result_json TEXT NOT NULL DEFAULT '{}', -- result, or {"error": {code, step, message}}
    phase TEXT NOT NULL DEFAULT '',
    attempts BIGINT NOT NULL DEFAULT 0,
    created_us BIGINT NOT NULL,
    deadline_us BIGINT NOT NULL,
    ended_us BIGINT
);
CREATE INDEX jobs_by_host ON jobs (host_id, state);
CREATE INDEX jobs_open ON jobs (state, kind);
CREATE INDEX jobs_by_build ON jobs (build_id);
CREATE INDEX jobs_by_rollout ON jobs (rollout_id);

CREATE TABLE builds (
    id @ID@,
    app_id BIGINT NOT NULL REFERENCES apps (id),
    tag TEXT NOT NULL,
    commit_id TEXT NOT NULL DEFAULT '', -- '' until resolved (a build made through the API)
    inputs_sha256 TEXT,                 -- null until resolved
    inputs_json TEXT NOT NULL DEFAULT '{}', -- repository, commit, stack, buildpacks: what is hashed
    status TEXT NOT NULL DEFAULT 'pending', -- pending, started, success, failed, expired
    file TEXT,                          -- builds/<app>-<version>-<md5>.squashfs
    file_md5 TEXT,
    file_sha256 TEXT,
    file_bytes BIGINT,
    hash TEXT NOT NULL DEFAULT '',
    env_yaml TEXT NOT NULL DEFAULT '',  -- the buildpack's config_vars
    env_json TEXT NOT NULL DEFAULT '{}',
    procfile_json TEXT NOT NULL DEFAULT '{}',
    buildpack_url TEXT NOT NULL DEFAULT '',
    buildpack_version TEXT NOT NULL DEFAULT '',
    job_id BIGINT REFERENCES jobs (id),
    error TEXT NOT NULL DEFAULT '',     -- one sentence
    log_bytes BIGINT NOT NULL DEFAULT 0,
    created_us BIGINT NOT NULL,
    start_us BIGINT,
    end_us BIGINT
);
CREATE UNIQUE INDEX builds_one_per_inputs ON builds (inputs_sha256)
    WHERE status IN ('pending', 'started', 'success') AND inputs_sha256 IS NOT NULL;
CREATE INDEX builds_by_app ON builds (app_id, tag);

-- The build's log in the order it came; `at` is the byte offset of the chunk.
CREATE TABLE build_logs (
    build_id BIGINT NOT NULL REFERENCES builds (id),
    at BIGINT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (build_id, at)
);

-- Immutable once written.
CREATE TABLE releases (
    id @ID@,
    build_id BIGINT NOT NULL REFERENCES builds (id),
    config_yaml TEXT NOT NULL DEFAULT '',
    config_json TEXT NOT NULL DEFAULT '{}',
    env_yaml TEXT NOT NULL DEFAULT '',
    env_json TEXT NOT NULL DEFAULT '{}',
    volumes_json TEXT NOT NULL DEFAULT '[]',
    run_as TEXT NOT NULL DEFAULT 'nobody',
    mem_limit TEXT,
    memsw_limit TEXT,
    newer_json TEXT NOT NULL DEFAULT '{}',  -- fields newer than the contract that are not default
    hash TEXT NOT NULL,                 -- 8 hex digits
    content_sha256 TEXT NOT NULL,
    created_us BIGINT NOT NULL,
    UNIQUE (build_id, content_sha256)   -- two apps may have the same bytes
);
CREATE INDEX releases_by_build ON releases (build_id);

CREATE TABLE balancers (
    id @ID@,
    name TEXT NOT NULL UNIQUE,
    driver TEXT NOT NULL,               -- haproxy, nginx, none
    options_json TEXT NOT NULL DEFAULT '{}',
    row_version BIGINT NOT NULL DEFAULT 1
);

CREATE TABLE balancer_hosts (
    balancer_id BIGINT NOT NULL REFERENCES balancers (id),
    host_id BIGINT NOT NULL REFERENCES hosts (id),
    PRIMARY KEY (balancer_id, host_id)
);

-- Only the wish of its user; nothing acts on it until a rollout freezes it.
CREATE TABLE swarms (
    id @ID@,
    app_id BIGINT NOT NULL REFERENCES apps (id),
    config_name TEXT NOT NULL,
    proc_name TEXT NOT NULL,
    squad_id BIGINT NOT NULL REFERENCES squads (id),
    size BIGINT NOT NULL DEFAULT 1,
    tag TEXT NOT NULL DEFAULT '',
    pool TEXT,
    balancer_id BIGINT REFERENCES balancers (id),
    config_yaml TEXT NOT NULL DEFAULT '',
    config_json TEXT NOT NULL DEFAULT '{}',
    env_yaml TEXT NOT NULL DEFAULT '',
    env_json TEXT NOT NULL DEFAULT '{}',
    volumes_json TEXT NOT NULL DEFAULT '[]',
    run_as TEXT NOT NULL DEFAULT 'nobody',
    mem_limit TEXT,
    memsw_limit TEXT,
    policy_json TEXT NOT NULL DEFAULT '{}', -- the fields of model/policy.h that are not default
    merged_config_json TEXT NOT NULL DEFAULT '{}',  -- computed on write, ingredients included
    merged_env_json TEXT NOT NULL DEFAULT '{}',
    current_rollout TEXT,               -- the last one that ended done
    paused SMALLINT NOT NULL DEFAULT 0, -- no healing and no moving
    heal_failures BIGINT NOT NULL DEFAULT 0, -- heal and move rollouts that failed since one was done
    heal_after_us BIGINT NOT NULL DEFAULT 0, -- no healing before
    row_version BIGINT NOT NULL DEFAULT 1,
    UNIQUE (app_id, config_name, squad_id, proc_name)
);

CREATE TABLE swarm_ingredients (
    swarm_id BIGINT NOT NULL REFERENCES swarms (id),
    ingredient_id BIGINT NOT NULL REFERENCES ingredients (id),
    PRIMARY KEY (swarm_id, ingredient_id)
);
CREATE INDEX swarm_ingredients_by_ingredient ON swarm_ingredients (ingredient_id);

-- One dispatch of a swarm from request to end, with everything it froze at its start.
CREATE TABLE rollouts (
    seq @ID@,                           -- order of their making
    id TEXT NOT NULL UNIQUE,            -- 32 hex digits; the trace
    swarm_id BIGINT NOT NULL REFERENCES swarms (id),
    kind TEXT NOT NULL,                 -- dispatch, rollback, scale, heal, move, restart
    user_id BIGINT REFERENCES users (id),   -- null: the platform itself
    state TEXT NOT NULL DEFAULT 'queued',   -- queued, active, ended
    result TEXT,                        -- done, failed, cancelled, superseded
    phase TEXT NOT NULL DEFAULT 'normal',   -- normal, failing, cancelling, superseding
    step TEXT NOT NULL DEFAULT '',      -- resolve build release place start test route drain stop
    step_us BIGINT NOT NULL DEFAULT 0,
    deadline_us BIGINT NOT NULL DEFAULT 0,
    cancel_requested SMALLINT NOT NULL DEFAULT 0,
    past_return SMALLINT NOT NULL DEFAULT 0, -- procs of the old generation were told to stop
    tag TEXT NOT NULL,
    commit_id TEXT NOT NULL DEFAULT '',
    build_id BIGINT REFERENCES builds (id),
    release_id BIGINT REFERENCES releases (id),
    proc_name TEXT NOT NULL,            -- frozen wish from here on
    config_name TEXT NOT NULL,
    size BIGINT NOT NULL,
    squad_id BIGINT NOT NULL REFERENCES squads (id),
    pool_id BIGINT,
    policy_json TEXT NOT NULL DEFAULT '{}',
    wish_json TEXT NOT NULL DEFAULT '{}',   -- config, env (own, ingredients), volumes, run_as, limits
    resolve_json TEXT NOT NULL DEFAULT '{}', -- commit and buildpack candidates, once resolved
    error_step TEXT NOT NULL DEFAULT '',
    error_host TEXT NOT NULL DEFAULT '',
    error_proc TEXT NOT NULL DEFAULT '',
    error_message TEXT NOT NULL DEFAULT '',
    leftovers_json TEXT NOT NULL DEFAULT '[]',
    warnings_json TEXT NOT NULL DEFAULT '[]',
    created_us BIGINT NOT NULL,
    started_us BIGINT,
    ended_us BIGINT
);
CREATE UNIQUE INDEX rollouts_one_active ON rollouts (swarm_id) WHERE state = 'active';
CREATE UNIQUE INDEX rollouts_one_queued ON rollouts (swarm_id) WHERE state = 'queued';
CREATE INDEX rollouts_by_build ON rollouts (build_id);
CREATE INDEX rollouts_by_release ON rollouts (release_id);
CREATE INDEX rollouts_by_swarm ON rollouts (swarm_id, created_us);

-- What happened in a rollout: one row per step begun, with its end; and per noteworthy fact in it.
CREATE TABLE rollout_steps (
    id @ID@,
    rollout_id TEXT NOT NULL REFERENCES rollouts (id),
    step TEXT NOT NULL,
    host TEXT NOT NULL DEFAULT '',
    proc TEXT NOT NULL DEFAULT '',
    message TEXT NOT NULL DEFAULT '',
    start_us BIGINT NOT NULL,
    end_us BIGINT
);
CREATE INDEX rollout_steps_by_rollout ON rollout_steps (rollout_id, id);

CREATE TABLE pools (
    id @ID@,
    name TEXT NOT NULL,
    balancer_id BIGINT NOT NULL REFERENCES balancers (id),
    swarm_id BIGINT NOT NULL REFERENCES swarms (id),    -- its owner
    generation BIGINT NOT NULL DEFAULT 0,
    members_json TEXT NOT NULL DEFAULT '[]', -- [{id, address, port, state}] of this generation
    UNIQUE (balancer_id, name)
);

CREATE TABLE pool_hosts (
    pool_id BIGINT NOT NULL REFERENCES pools (id),
    host_id BIGINT NOT NULL REFERENCES hosts (id),
    applied BIGINT NOT NULL DEFAULT 0,
    confirmed BIGINT NOT NULL DEFAULT 0,
    confirmed_us BIGINT NOT NULL DEFAULT 0, -- since when it is this generation
    error TEXT NOT NULL DEFAULT '',
    nodes_json TEXT NOT NULL DEFAULT '[]',  -- [{id, state, check, connections}] as last reported
    reported_us BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (pool_id, host_id)
);

CREATE TABLE procs (
    id @ID@,
    name TEXT NOT NULL,                 -- display name; never parsed
    swarm_id BIGINT REFERENCES swarms (id),     -- null: deployed by hand
    rollout_id TEXT REFERENCES rollouts (id),
    release_id BIGINT NOT NULL REFERENCES releases (id),
    host_id BIGINT NOT NULL REFERENCES hosts (id),
    config_name TEXT NOT NULL,
    proc_name TEXT NOT NULL,
    cmd TEXT NOT NULL,
    policy_json TEXT NOT NULL DEFAULT '{}',
    pool_id BIGINT,                     -- frozen by its rollout; null: none
    port BIGINT NOT NULL,               -- 0: none
    epoch BIGINT NOT NULL DEFAULT 1,
    session BIGINT NOT NULL DEFAULT 0,  -- of its host, when the epoch began
    desired TEXT NOT NULL DEFAULT 'run',    -- run, stop, held
    actual TEXT NOT NULL DEFAULT 'assigned', -- assigned fetching starting running backoff stopping stopped exited fatal unknown
    reported TEXT NOT NULL DEFAULT 'assigned', -- what its host said last; differs while unknown
    since_us BIGINT NOT NULL,
    running_us BIGINT,
    unhealthy_us BIGINT NOT NULL DEFAULT 0, -- since when it runs but does not answer; 0: it does
    tested TEXT NOT NULL DEFAULT 'no',  -- no, pending, passed, failed
    test_n BIGINT NOT NULL DEFAULT 0,   -- number of the test that was asked for
    tested_us BIGINT,                   -- when the newest test was asked for, or its result came
    test_began_us BIGINT NOT NULL DEFAULT 0, -- first test asked for in this epoch and life
    passed SMALLINT NOT NULL DEFAULT 0, -- passed in this epoch and this life
    test_json TEXT NOT NULL DEFAULT '[]',   -- results of the last test
    restart_n BIGINT NOT NULL DEFAULT 0,    -- restarts asked for
    force_stop SMALLINT NOT NULL DEFAULT 0,
    admitted SMALLINT NOT NULL DEFAULT 0,
    admitted_us BIGINT,
    drain_us BIGINT,                    -- since when it is un-admitted
    start_failures BIGINT NOT NULL DEFAULT 0,
    flaps BIGINT NOT NULL DEFAULT 0,    -- times it was taken out for bad health lately
    flapped_us BIGINT NOT NULL DEFAULT 0,
    unhealthy_restarts BIGINT NOT NULL DEFAULT 0,
    moved_from BIGINT,                  -- the proc whose failed start this one retries elsewhere
    pid BIGINT NOT NULL DEFAULT 0,
    generation BIGINT NOT NULL DEFAULT 0,
    restarts BIGINT NOT NULL DEFAULT 0,
    message TEXT NOT NULL DEFAULT '',   -- why it is as it is, one sentence
    code TEXT NOT NULL DEFAULT '',      -- of a failure: fetch_failed, port_taken, …
    log_tail TEXT NOT NULL DEFAULT '',  -- last lines, kept when it failed
    exit_json TEXT NOT NULL DEFAULT '{}',
    usage_json TEXT NOT NULL DEFAULT '{}',
    created_us BIGINT NOT NULL,
    stopped_us BIGINT
);
CREATE UNIQUE INDEX procs_one_per_port ON procs (host_id, port)
    WHERE port > 0 AND (actual <> 'stopped' OR desired <> 'stop');
CREATE INDEX procs_by_swarm ON procs (swarm_id, actual);
CREATE INDEX procs_by_host ON procs (host_id, actual);
CREATE INDEX procs_by_rollout ON procs (rollout_id);
CREATE INDEX procs_by_release ON procs (release_id);

-- Actions of a user on one proc.
CREATE TABLE commands (
    id @ID@,
    kind TEXT NOT NULL,                 -- start, stop, restart, destroy
    proc_id BIGINT NOT NULL REFERENCES procs (id),
    user_id BIGINT REFERENCES users (id),
    state TEXT NOT NULL DEFAULT 'waiting',  -- waiting, active (the proc was told), done, failed
    force SMALLINT NOT NULL DEFAULT 0,  -- does not wait for balancers and drain
    step TEXT NOT NULL DEFAULT '',
    result TEXT NOT NULL DEFAULT '',
    created_us BIGINT NOT NULL,
    ended_us BIGINT
);
CREATE INDEX commands_open ON commands (state, proc_id);

-- Append only. The id comes from counters('event').
CREATE TABLE events (
    id BIGINT PRIMARY KEY,
    time_us BIGINT NOT NULL,
    kind TEXT NOT NULL,                 -- 'event' (the contract's stream), 'proc', 'rollout', 'host', 'pool', 'build'
    title TEXT NOT NULL DEFAULT '',
    message TEXT NOT NULL DEFAULT '',
    tags_json TEXT NOT NULL DEFAULT '[]',
    rollout_id TEXT,
    swarm_id BIGINT,
    proc_id BIGINT,
    host_id BIGINT,
    data_json TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX events_by_rollout ON events (rollout_id, id);
CREATE INDEX events_by_swarm ON events (swarm_id, id);
CREATE INDEX events_by_kind ON events (kind, id);

-- What users did, as the contract's log shows it.
CREATE TABLE log_entries (
    id @ID@,
    type TEXT NOT NULL,
    time_us BIGINT NOT NULL,
    user_id BIGINT REFERENCES users (id),
    message TEXT NOT NULL,
    remote TEXT NOT NULL DEFAULT ''
);

CREATE TABLE idempotency_keys (
    user_id BIGINT NOT NULL,
    key TEXT NOT NULL,
    request_sha256 TEXT NOT NULL,
    status BIGINT NOT NULL,
    location TEXT NOT NULL DEFAULT '',
    body TEXT NOT NULL DEFAULT '',
    created_us BIGINT NOT NULL,
    PRIMARY KEY (user_id, key)
);
