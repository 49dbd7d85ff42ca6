-- Nodes of version 1 go on working on these tables: what they do not write has
-- a default, and what they read is as it was.

-- The clients through which the phone and the e-mail address were proved, sealed.
ALTER TABLE qqauth_users ADD COLUMN IF NOT EXISTS via BYTEA;

-- Phone numbers and e-mail addresses, as HMACs. Absence is read twice, as that of
-- an identity.
CREATE TABLE IF NOT EXISTS qqauth_handle_mirrors (
	handle  BYTEA PRIMARY KEY CHECK (length(handle) = 32),
	user_id TEXT COLLATE "C" NOT NULL REFERENCES qqauth_users (id)
);

CREATE INDEX IF NOT EXISTS qqauth_handle_mirrors_user_id ON qqauth_handle_mirrors (user_id);

CREATE TABLE IF NOT EXISTS qqauth_handles (
	handle  BYTEA PRIMARY KEY REFERENCES qqauth_handle_mirrors (handle),
	user_id TEXT COLLATE "C" NOT NULL REFERENCES qqauth_users (id)
);

CREATE INDEX IF NOT EXISTS qqauth_handles_user_id ON qqauth_handles (user_id);

-- idle is in nanoseconds, 0 for ever.
ALTER TABLE qqauth_sessions ADD COLUMN IF NOT EXISTS idle BIGINT NOT NULL DEFAULT 0;

ALTER TABLE qqauth_sessions ADD COLUMN IF NOT EXISTS last_use TIMESTAMPTZ;

-- The device comes first: it is random, and clients are few.
CREATE INDEX IF NOT EXISTS qqauth_sessions_device ON qqauth_sessions (device, client);

ALTER TABLE qqauth_pendings ADD COLUMN IF NOT EXISTS epoch BIGINT NOT NULL DEFAULT 0;

ALTER TABLE qqauth_pendings ADD COLUMN IF NOT EXISTS methods TEXT[] NOT NULL DEFAULT '{}';

ALTER TABLE qqauth_pendings ADD COLUMN IF NOT EXISTS link BOOLEAN NOT NULL DEFAULT FALSE;

CREATE INDEX IF NOT EXISTS qqauth_pendings_device ON qqauth_pendings (device, client);

-- Verification codes. answer is an HMAC, null where none is right.
CREATE TABLE IF NOT EXISTS qqauth_codes (
	code    BYTEA PRIMARY KEY CHECK (length(code) = 32),
	answer  BYTEA,
	tries   BIGINT NOT NULL,
	expires TIMESTAMPTZ NOT NULL
);

CREATE INDEX IF NOT EXISTS qqauth_codes_expires ON qqauth_codes (expires);

CREATE TABLE IF NOT EXISTS qqauth_captchas (
	token   BYTEA PRIMARY KEY CHECK (length(token) = 32),
	client  TEXT NOT NULL,
	device  BYTEA,
	x       BIGINT NOT NULL,
	solved  BOOLEAN NOT NULL,
	sender  BYTEA,
	expires TIMESTAMPTZ NOT NULL
);

CREATE INDEX IF NOT EXISTS qqauth_captchas_expires ON qqauth_captchas (expires);

-- What limits count. slots is a list in CBOR.
CREATE TABLE IF NOT EXISTS qqauth_counters (
	counter BYTEA PRIMARY KEY CHECK (length(counter) = 32),
	slots   BYTEA NOT NULL,
	expires TIMESTAMPTZ NOT NULL
);

CREATE INDEX IF NOT EXISTS qqauth_counters_expires ON qqauth_counters (expires);

-- HMACs of users and identities that were erased.
CREATE TABLE IF NOT EXISTS qqauth_erased (
	erased BYTEA PRIMARY KEY CHECK (length(erased) = 32),
	at     TIMESTAMPTZ NOT NULL
);
