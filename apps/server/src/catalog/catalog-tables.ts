import type { SerializedError } from '@onevault/base';
import type { Migrations } from '@onevault/run-queue';
import { type ColumnType, type Kysely, sql } from 'kysely';
import type { InventoryVm } from '../ports/inventory.ts';

type JsonColumn<T> = ColumnType<T, string, string>;

/** A restore point; all of it is in its repository too. */
export interface PointTable {
  repository: string;
  id: string;
  grp: string;
  /** -1: its manifest does not say. */
  vm_id: number;
  vm_name: string;
  captured_at: Date;
  committed_at: Date;
  mode: 'full' | 'incremental';
  consistency: string;
  size_bytes: number;
  stored_bytes: number;
  disks: JsonColumn<readonly { readonly key: string; readonly diskId: number; readonly target: string; readonly sizeBytes: number }[]>;
  tags: JsonColumn<readonly string[]>;
  holds: JsonColumn<readonly { readonly name: string; readonly until?: string }[]>;
  damaged: boolean;
  policy: string | null;
}

/** A manifest that cannot be read. */
export interface UnreadableTable {
  repository: string;
  key: string;
  grp: string;
}

/** What was last seen of a repository, for when it is away. */
export interface RepositoryFacts {
  readonly place: string;
  readonly encrypted: boolean;
  readonly storedBytes: number | undefined;
  readonly freeBytes: number | undefined;
  readonly lastVerifyAt: string | undefined;
  readonly problem: SerializedError | undefined;
}

export interface RepositoryTable {
  name: string;
  facts: JsonColumn<RepositoryFacts>;
  /** One more with each look that found anything: another server's sums are old then. */
  revision: number;
}

/** A VM as its newest restore point has it. */
export interface SavedVmTable {
  grp: string;
  point_id: string;
  vm: JsonColumn<InventoryVm>;
}

/** The last slot of a schedule that was dealt with. */
export interface ScheduleTable {
  policy: string;
  schedule: string;
  handled: Date;
}

/** One row once everything that is elsewhere too was brought in. */
export interface FilledTable {
  at: Date;
  /** There was another database before, which is lost. */
  is_loss: boolean;
}

/** A VM as the server last saw it, for its next start. */
export interface SeenVmTable {
  vm_id: number;
  /** Of its restore points; null of one that is gone. */
  grp: string | null;
  /** JSON as it was written: jsonb would change the order of its keys. */
  vm: string;
}

/** When that was: one row. */
export interface SeenTable {
  id: number;
  at: Date;
}

export interface CatalogTables {
  point: PointTable;
  unreadable: UnreadableTable;
  repository: RepositoryTable;
  saved_vm: SavedVmTable;
  schedule: ScheduleTable;
  filled: FilledTable;
  seen_vm: SeenVmTable;
  seen: SeenTable;
}

/** Schema `onevault_catalog`: what was released is never changed. */
export const CATALOG_MIGRATIONS: Migrations = {
  '0001-catalog': {
    async up(db: Kysely<unknown>) {
      await sql`
        create table onevault_catalog.point (
          repository text not null,
          id text not null,
          grp text not null,
          vm_id integer not null,
          vm_name text not null,
          captured_at timestamptz not null,
          committed_at timestamptz not null,
          mode text not null,
          consistency text not null,
          size_bytes bigint not null,
          stored_bytes bigint not null,
          disks jsonb not null,
          tags jsonb not null,
          holds jsonb not null,
          damaged boolean not null,
          policy text,
          primary key (repository, id)
        )`.execute(db);
      await sql`create index point_of_group on onevault_catalog.point (grp, captured_at desc, id desc)`.execute(db);
      await sql`create index point_of_policy on onevault_catalog.point (policy, vm_id)`.execute(db);
      await sql`create table onevault_catalog.unreadable (repository text not null, key text not null, grp text not null, primary key (repository, key))`.execute(
        db,
      );
      await sql`create table onevault_catalog.repository (name text primary key, facts jsonb not null, revision integer not null)`.execute(db);
      await sql`create table onevault_catalog.saved_vm (grp text primary key, point_id text not null, vm jsonb not null)`.execute(db);
      await sql`
        create table onevault_catalog.schedule (
          policy text not null,
          schedule text not null,
          handled timestamptz not null,
          primary key (policy, schedule)
        )`.execute(db);
    },
  },
  '0002-filled': {
    async up(db: Kysely<unknown>) {
      await sql`create table onevault_catalog.filled (at timestamptz not null, is_loss boolean not null)`.execute(db);
      // What has been at work before this table was there lacks nothing.
      await sql`
        insert into onevault_catalog.filled
        select now(), false where exists (select from onevault_catalog.schedule) or exists (select from onevault_catalog.repository)`.execute(db);
    },
  },
  '0003-seen-vms': {
    async up(db: Kysely<unknown>) {
      await sql`create table onevault_catalog.seen_vm (vm_id integer primary key, grp text, vm text not null)`.execute(db);
      await sql`create table onevault_catalog.seen (id integer primary key, at timestamptz not null)`.execute(db);
    },
  },
};
