import { type Kysely, sql } from 'kysely';
import type { Migrations } from './open-database.ts';

/** In the order of their names. What was released is never changed: a change is one more. */
export const MIGRATIONS: Migrations = {
  '0001-runs': {
    async up(db: Kysely<unknown>) {
      await sql`
        create table onevault.run (
          id text primary key,
          kind text not null,
          request jsonb not null,
          fingerprint text not null,
          vm_id integer,
          vm_name text,
          policy text,
          slot timestamptz,
          origin_kind text not null,
          origin_name text not null,
          priority integer not null,
          holds jsonb not null,
          reach jsonb not null,
          retry_times integer not null,
          retry_after_ms integer not null,
          queued_at timestamptz not null default now(),
          start_after timestamptz not null default now(),
          start_before timestamptz,
          turn timestamptz not null,
          state text not null,
          token integer not null default 0,
          attempt integer not null default 0,
          deaths integer not null default 0,
          dead jsonb not null default '[]',
          worker text,
          occupies jsonb not null default '[]',
          beat_at timestamptz,
          started_at timestamptz,
          ended_at timestamptz,
          cancel_requested boolean not null default false,
          notes jsonb not null default '{}',
          progress jsonb not null default '{}',
          report jsonb,
          failure jsonb
        )`.execute(db);
      await sql`create unique index run_scheduled on onevault.run (policy, slot, kind, coalesce(vm_id, -1)) where slot is not null`.execute(db);
      // What has begun once is no longer what somebody else who asks for the same waits for.
      await sql`create unique index run_waits_once on onevault.run (fingerprint) where state = 'queued' and token = 0`.execute(db);
      await sql`create index run_newest on onevault.run (queued_at desc, id desc)`.execute(db);
      await sql`create index run_of_vm on onevault.run (vm_id, queued_at desc)`.execute(db);
      await sql`create index run_queued on onevault.run (turn, id) where state = 'queued'`.execute(db);
      await sql`create index run_running on onevault.run (worker) where state = 'running'`.execute(db);
      await sql`create index run_ended on onevault.run (ended_at) where ended_at is not null`.execute(db);
      await sql`
        create table onevault.run_event (
          seq bigint generated always as identity primary key,
          run_id text not null references onevault.run (id) on delete cascade,
          at timestamptz not null default now(),
          type text not null,
          data jsonb not null
        )`.execute(db);
      await sql`create index run_event_of_run on onevault.run_event (run_id, seq)`.execute(db);
      await sql`create table onevault.run_cap (kind text primary key, places integer)`.execute(db);
      await sql`
        create table onevault.run_worker (
          name text primary key,
          slots integer not null,
          reach jsonb not null,
          standing jsonb not null,
          seen_at timestamptz not null default now()
        )`.execute(db);
    },
  },
  '0002-heartbeat': {
    async up(db: Kysely<unknown>) {
      // What its worker has promised, and by what the run is judged: processes that were told differently share the database all the same.
      await sql`alter table onevault.run add column heartbeat_seconds integer not null default 60`.execute(db);
      await sql`alter table onevault.run_worker add column heartbeat_seconds integer not null default 60`.execute(db);
      await sql`create table onevault.run_term (name text primary key, value integer not null)`.execute(db);
    },
  },
  '0003-told': {
    async up(db: Kysely<unknown>) {
      // How many of its attempt's events are told: who does not hear the answer, or ends it meanwhile, tells none twice.
      await sql`alter table onevault.run add column told integer not null default 0`.execute(db);
    },
  },
};
