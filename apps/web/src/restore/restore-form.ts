import type { Point, RunAsked } from '../api/answers.ts';

export interface RestoreForm {
  readonly how: 'new' | 'in-place';
  readonly name: string;
  readonly imageDatastore: string;
  readonly systemDatastore: string;
  readonly nics: '' | 'keep' | 'new-addresses' | 'none';
  /** By the saved network, the one that takes its place; empty: the same. */
  readonly networks: Readonly<Record<string, string>>;
  readonly method: 'auto' | 'direct' | 'saveas';
  readonly answers: Readonly<Record<string, string>>;
  readonly verify: boolean;
  readonly hold: boolean;
  /** In place: the disks that come back; all where it is empty. */
  readonly disks: readonly number[];
  readonly keepUndo: string;
  readonly delta: boolean;
  readonly allowSnapshotLoss: boolean;
  readonly hard: boolean;
}

export function beginForm(how: string | undefined, name: string): RestoreForm {
  return {
    how: how === 'in-place' ? how : 'new',
    name,
    imageDatastore: '',
    systemDatastore: '',
    nics: '',
    networks: {},
    method: 'auto',
    answers: {},
    verify: true,
    hold: false,
    disks: [],
    keepUndo: '7d',
    delta: false,
    allowSnapshotLoss: false,
    hard: false,
  };
}

/** What is asked of the server; what was left open is left to it. */
export function requestOf(form: RestoreForm, point: Pick<Point, 'repository' | 'id'>): RunAsked {
  const of = { repository: point.repository, pointId: point.id };
  return form.how === 'in-place' ? inPlaceOf(form, of) : newVmOf(form, of);
}

function inPlaceOf({ keepUndo, delta, disks, allowSnapshotLoss, hard }: RestoreForm, of: { repository: string; pointId: string }): RunAsked {
  return {
    kind: 'restore-in-place',
    ...of,
    keepUndo,
    delta,
    ...(disks.length > 0 && { disks: [...disks] }),
    ...(allowSnapshotLoss && { allowSnapshotLoss }),
    ...(hard && { hard }),
  };
}

function newVmOf(form: RestoreForm, of: { repository: string; pointId: string }): RunAsked {
  const networks = form.nics === 'none' ? {} : chosen(form.networks);
  const answers = chosen(form.answers);
  return {
    kind: 'restore',
    ...of,
    name: form.name.trim(),
    method: form.method,
    hold: form.hold,
    verify: form.verify,
    ...(form.imageDatastore !== '' && { imageDatastore: Number(form.imageDatastore) }),
    ...(form.systemDatastore !== '' && { systemDatastore: Number(form.systemDatastore) }),
    ...(form.nics !== '' && { nics: form.nics }),
    ...(Object.keys(networks).length > 0 && { networks }),
    ...(Object.keys(answers).length > 0 && { answers }),
  };
}

function chosen(fields: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ''));
}

/** Why one cannot go on from the form, in words; nothing when one can. */
export function faultOf(form: RestoreForm): string | undefined {
  if (form.how === 'new' && form.name.trim() === '') return 'The new VM needs a name.';
  if (form.how === 'in-place' && !/^\d{1,6}[smhdw]$/.test(form.keepUndo)) return 'How long the old disks are kept is a number and s, m, h, d or w, such as 7d.';
  return undefined;
}
