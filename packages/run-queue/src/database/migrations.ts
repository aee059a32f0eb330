import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** In the order of their names. What was released is never changed: a change is one more. */
export const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001-runs': {
    async up(db: Kysely<unknown>) {
      await sql`create schema if not exists onevault`.execute(db);
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
          retry_after_ms bigint not null,
          state text not null,
          attempt integer not null default 0,
          worker text,
          beat_at timestamptz,
          queued_at timestamptz not null default now(),
          started_at timestamptz,
          ended_at timestamptz,
          waits_for text,
          cancel_requested boolean not null default false,
          notes jsonb not null default '{}',
          progress jsonb not null default '{}',
          report jsonb,
          failure jsonb
        )`.execute(db);
      await sql`create unique index run_scheduled on onevault.run (policy, slot, kind, coalesce(vm_id, -1)) where slot is not null`.execute(db);
      await sql`create unique index run_queued_once on onevault.run (fingerprint) where state = 'queued'`.execute(db);
      await sql`create index run_newest on onevault.run (queued_at desc, id desc)`.execute(db);
      await sql`create index run_of_vm on onevault.run (vm_id, queued_at desc)`.execute(db);
      await sql`create index run_at_work on onevault.run (state) where state in ('queued', 'running')`.execute(db);
      await sql`
        create table onevault.run_event (
          seq bigint generated always as identity primary key,
          run_id text not null references onevault.run (id) on delete cascade,
          at timestamptz not null default now(),
          type text not null,
          data jsonb not null
        )`.execute(db);
      await sql`create index run_event_of_run on onevault.run_event (run_id, seq)`.execute(db);
      await sql`
        create table onevault.run_place (
          resource text not null,
          run_id text not null references onevault.run (id) on delete cascade,
          primary key (resource, run_id)
        )`.execute(db);
      await sql`create table onevault.run_lane (name text primary key, reach jsonb not null)`.execute(db);
    },
  },
};
