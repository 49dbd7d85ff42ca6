-- Nodes of versions 1 and 2 go on working on these tables: what they do not write
-- has a default or stays as it was, and what they read is as it was. What they have
-- sealed they read strictly, so what is new and sealed is in columns of its own.
-- From now on the handles stand for user names and devices as well.

-- What a user has for games: password, devices and the like, sealed.
ALTER TABLE qqauth_users ADD COLUMN IF NOT EXISTS game BYTEA;

-- What is asked for together with a login at a game, sealed.
ALTER TABLE qqauth_pendings ADD COLUMN IF NOT EXISTS game BYTEA;

-- Until when the token is as good as its successor; null if it is not.
ALTER TABLE qqauth_retired_tokens ADD COLUMN IF NOT EXISTS good_until TIMESTAMPTZ;

-- Those of games go long before their session does.
CREATE INDEX IF NOT EXISTS qqauth_retired_tokens_expires ON qqauth_retired_tokens (expires);

-- When to look whether a guest is still in use.
CREATE TABLE IF NOT EXISTS qqauth_guests (
	user_id TEXT COLLATE "C" PRIMARY KEY REFERENCES qqauth_users (id) ON DELETE CASCADE,
	due     TIMESTAMPTZ NOT NULL
);

CREATE INDEX IF NOT EXISTS qqauth_guests_due ON qqauth_guests (due);
