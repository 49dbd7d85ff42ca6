-- Keys hold no secret and no personal datum: tokens are SHA-256, identities,
-- unionids, devices and access tokens are HMACs under a key of the ring. What is
-- personal is in the sealed columns named personal. Every statement can run
-- again, because a start may end in the middle.

CREATE TABLE IF NOT EXISTS qqauth_store (
	id     INT PRIMARY KEY CHECK (id = 1),
	frozen BOOLEAN NOT NULL
);

INSERT INTO qqauth_store (id, frozen) VALUES (1, FALSE) ON CONFLICT (id) DO NOTHING;

-- The wrapped key ring. It is not sealed, because it holds the keys.
CREATE TABLE IF NOT EXISTS qqauth_keys (
	id   INT PRIMARY KEY CHECK (id = 1),
	ring BYTEA NOT NULL
);

-- The id of 20220425140138519-BF1B-528B05551 is BF1B-528B05551-20220425140138519,
-- in every column that names a user. version is random and new with every
-- writing of the row.
CREATE TABLE IF NOT EXISTS qqauth_users (
	id       TEXT COLLATE "C" PRIMARY KEY,
	created  TIMESTAMPTZ NOT NULL,
	disabled BOOLEAN NOT NULL,
	epoch    BIGINT NOT NULL,
	personal BYTEA NOT NULL,
	version  BIGINT NOT NULL
);

-- Absence is read twice: an identity that one table knows and the other does not
-- is damage, not a new user.
CREATE TABLE IF NOT EXISTS qqauth_identity_mirrors (
	identity BYTEA PRIMARY KEY CHECK (length(identity) = 32),
	user_id  TEXT COLLATE "C" NOT NULL REFERENCES qqauth_users (id)
);

CREATE INDEX IF NOT EXISTS qqauth_identity_mirrors_user_id ON qqauth_identity_mirrors (user_id);

CREATE TABLE IF NOT EXISTS qqauth_identities (
	identity BYTEA PRIMARY KEY REFERENCES qqauth_identity_mirrors (identity),
	user_id  TEXT COLLATE "C" NOT NULL REFERENCES qqauth_users (id),
	app      TEXT COLLATE "C" NOT NULL,
	since    TIMESTAMPTZ NOT NULL,
	UNIQUE (user_id, app)
);

CREATE TABLE IF NOT EXISTS qqauth_unions (
	unionid  BYTEA NOT NULL CHECK (length(unionid) = 32),
	position INT NOT NULL,
	app      TEXT COLLATE "C" NOT NULL,
	user_id  TEXT COLLATE "C" NOT NULL REFERENCES qqauth_users (id) ON DELETE CASCADE,
	PRIMARY KEY (unionid, position),
	UNIQUE (unionid, app, user_id)
);

CREATE INDEX IF NOT EXISTS qqauth_unions_user_id ON qqauth_unions (user_id);

-- No foreign key: the token of a user who is gone stays refused.
CREATE TABLE IF NOT EXISTS qqauth_access_tokens (
	access  BYTEA PRIMARY KEY CHECK (length(access) = 32),
	user_id TEXT COLLATE "C" NOT NULL,
	epoch   BIGINT NOT NULL,
	expires TIMESTAMPTZ NOT NULL
);

CREATE INDEX IF NOT EXISTS qqauth_access_tokens_expires ON qqauth_access_tokens (expires);

-- token is null between its retirement and the successor, inside a transaction.
CREATE TABLE IF NOT EXISTS qqauth_sessions (
	id        TEXT COLLATE "C" PRIMARY KEY,
	token     BYTEA UNIQUE CHECK (length(token) = 32),
	user_id   TEXT COLLATE "C" NOT NULL REFERENCES qqauth_users (id) ON DELETE CASCADE,
	client    TEXT NOT NULL,
	device    BYTEA,
	methods   TEXT[] NOT NULL,
	auth_time TIMESTAMPTZ NOT NULL,
	issued    TIMESTAMPTZ NOT NULL,
	expires   TIMESTAMPTZ NOT NULL,
	epoch     BIGINT NOT NULL,
	parent    TEXT NOT NULL,
	previous  BYTEA,
	used      BOOLEAN NOT NULL,
	personal  BYTEA NOT NULL,
	version   BIGINT NOT NULL
);

CREATE INDEX IF NOT EXISTS qqauth_sessions_user_id ON qqauth_sessions (user_id);

CREATE INDEX IF NOT EXISTS qqauth_sessions_expires ON qqauth_sessions (expires);

CREATE TABLE IF NOT EXISTS qqauth_retired_tokens (
	token      BYTEA PRIMARY KEY CHECK (length(token) = 32),
	session_id TEXT COLLATE "C" NOT NULL REFERENCES qqauth_sessions (id) ON DELETE CASCADE,
	at         TIMESTAMPTZ NOT NULL,
	expires    TIMESTAMPTZ NOT NULL
);

CREATE INDEX IF NOT EXISTS qqauth_retired_tokens_session_id ON qqauth_retired_tokens (session_id);

CREATE TABLE IF NOT EXISTS qqauth_tickets (
	token      BYTEA PRIMARY KEY CHECK (length(token) = 32),
	session_id TEXT COLLATE "C" NOT NULL REFERENCES qqauth_sessions (id) ON DELETE CASCADE,
	receiver   TEXT NOT NULL,
	device     BYTEA,
	expires    TIMESTAMPTZ NOT NULL
);

CREATE INDEX IF NOT EXISTS qqauth_tickets_session_id ON qqauth_tickets (session_id);

CREATE INDEX IF NOT EXISTS qqauth_tickets_expires ON qqauth_tickets (expires);

-- Logins that wait for more: a state_token names one.
CREATE TABLE IF NOT EXISTS qqauth_pendings (
	id       TEXT COLLATE "C" PRIMARY KEY,
	identity BYTEA NOT NULL CHECK (length(identity) = 32),
	status   TEXT NOT NULL,
	app      TEXT NOT NULL,
	user_id  TEXT COLLATE "C" REFERENCES qqauth_users (id) ON DELETE CASCADE,
	client   TEXT NOT NULL,
	device   BYTEA,
	access   BYTEA,
	created  TIMESTAMPTZ NOT NULL,
	expires  TIMESTAMPTZ NOT NULL,
	personal BYTEA NOT NULL
);

CREATE INDEX IF NOT EXISTS qqauth_pendings_identity ON qqauth_pendings (identity);

CREATE INDEX IF NOT EXISTS qqauth_pendings_user_id ON qqauth_pendings (user_id);

CREATE INDEX IF NOT EXISTS qqauth_pendings_expires ON qqauth_pendings (expires);

-- What other nodes have to hear: the revocation feed. at is this database's
-- clock, no node's. No foreign keys: an event outlives what it is about.
CREATE TABLE IF NOT EXISTS qqauth_events (
	id         BYTEA PRIMARY KEY,
	at         TIMESTAMPTZ NOT NULL,
	user_id    TEXT NOT NULL,
	session_id TEXT NOT NULL,
	ended      BOOLEAN NOT NULL,
	ring       BOOLEAN NOT NULL
);

CREATE INDEX IF NOT EXISTS qqauth_events_at ON qqauth_events (at);

-- One node at a time sweeps: whoever sets due.
CREATE TABLE IF NOT EXISTS qqauth_sweeps (
	id  INT PRIMARY KEY CHECK (id = 1),
	due TIMESTAMPTZ NOT NULL
);

INSERT INTO qqauth_sweeps (id, due) VALUES (1, clock_timestamp()) ON CONFLICT (id) DO NOTHING;
