import type { Answer, runSchemas } from '@onevault/api';

// Only types: the browser gets the shapes of the API's answers, and none of zod.
type OneOf<List> = List extends readonly (infer Each)[] ? Each : never;

export interface Reason {
  readonly code: string;
  readonly text: string;
}

export type Session = Answer<'whoAmI'>;
export type User = OneOf<Answer<'listUsers'>>;
export type Token = OneOf<Answer<'listTokens'>>;
export type AuditRecord = OneOf<Answer<'readAudit'>>;

export type Overview = Answer<'overview'>;
export type PolicySummary = OneOf<Answer<'listPolicies'>>;
export type PolicyPreview = Answer<'previewPolicy'>;
export type CalendarDay = OneOf<Answer<'retentionCalendar'>['items']>;
export type Repository = OneOf<Answer<'listRepositories'>>;
export type ProxyVm = OneOf<Answer<'listProxies'>>;
export type Datastore = OneOf<Answer<'listDatastores'>>;
export type Finding = OneOf<Answer<'doctor'>>;
export type Orphan = OneOf<Answer<'listOrphans'>>;

export type Run = OneOf<Answer<'listRuns'>['items']>;
export type RunDetail = Answer<'getRun'>;
export type RunState = Run['state'];
export type RunAsked = (typeof runSchemas.runRequest)['_input'];
export type RestorePreview = Answer<'previewRestore'>;
export type RestoreChoices = Answer<'restoreChoices'>;

export type VmSummary = OneOf<Answer<'listVms'>['items']>;
export type VmDetail = Answer<'getVm'>;
export type Protection = VmSummary['protection'];
export type VmDisk = VmDetail['disks'][number];
export type Point = Answer<'getPoint'>;
export type SnapshotSet = OneOf<Answer<'listSnapshots'>>;
export type UndoSet = OneOf<Answer<'listUndoSets'>>;
export type FileListing = Answer<'listFiles'>;
export type FileEntry = FileListing['entries'][number];
export type Drill = Answer<'listDrills'>[number];
