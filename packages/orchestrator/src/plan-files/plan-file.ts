import { z } from 'zod';
import { isValidName } from '../names.ts';

/** A plan file says which VMs come back, from when, in what order, where, and what is waited for in between. Bounds keep a typing error from being a plan. */
const MAX_VMS = 1000;
const MS = { s: 1000, m: 60_000, h: 3_600_000 } as const;

const span = z
  .string()
  .regex(/^\d{1,5}[smh]$/, 'a number and s, m or h: 30s, 10m, 2h')
  .transform((text) => Number(text.slice(0, -1)) * MS[text.slice(-1) as keyof typeof MS]);

/** An id, or a name as the repository or OpenNebula has it. YAML makes numbers of ids. */
const named = z.union([z.int().min(0), z.string().min(1)]).transform(String);

const sign = z.union([
  z.strictObject({ running: span }).transform(({ running }) => ({ kind: 'running' as const, seconds: running / 1000 })),
  z.literal('agent').transform(() => ({ kind: 'guest-agent' as const })),
  z.literal('ready').transform(() => ({ kind: 'onegate-ready' as const })),
  z.strictObject({ probe: z.array(z.string()).min(1) }).transform(({ probe }) => ({ kind: 'probe' as const, argv: probe })),
]);

/** After RUNNING, before anything that comes later begins. */
const wait = z.strictObject({
  for: z.array(sign).min(1).max(8).optional(),
  need: z.enum(['all', 'any']).default('all'),
  limit: span.default(600_000),
  /** On top, at the end. */
  delay: span.optional(),
});

const point = z.union([z.strictObject({ at: z.string().min(1) }), z.string().min(1)]);

const part = z.string().max(64);
const choices = {
  imageDatastore: named.optional(),
  systemDatastore: named.optional(),
  nics: z.enum(['keep', 'new-addresses', 'none']).optional(),
  /** From a network of the saved VM to one of this cloud. */
  networks: z.record(z.string(), named).optional(),
  hold: z.boolean().optional(),
  wait: wait.optional(),
};

const vm = z.strictObject({
  /** Id, name or group, as the repository knows it. */
  vm: named,
  /** Of the new VM; default: the saved name between prefix and suffix. */
  name: z.string().refine(isValidName, 'no name that OpenNebula accepts').optional(),
  /** How others name it in `after`; default: `vm`. */
  key: z.string().min(1).max(128).optional(),
  /** latest, latest~1, an id or the beginning of one, or `at`: the newest that was captured until then. */
  point: point.optional(),
  /** VMs that come first. */
  after: z.array(named).default([]),
  /** Everything of a lesser group comes first. */
  group: z.int().min(0).max(1000).default(0),
  ...choices,
});

export const planFileSchema = z.strictObject({
  version: z.literal(1),
  /** Of the plan, also on the VMs that it makes: a plan of the same name takes up what one before it left off. */
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._ -]{0,63}$/, 'letters, digits, dot, dash, underscore and blanks; at most 64'),
  /** What becomes of the rest, and of what was restored, when a VM fails. */
  onFailure: z.enum(['stop', 'continue', 'undo']).default('stop'),
  defaults: z.strictObject({ prefix: part.default(''), suffix: part.default(''), point: point.optional(), ...choices }).default({ prefix: '', suffix: '' }),
  vms: z.array(vm).min(1).max(MAX_VMS),
});

export type PlanFile = z.output<typeof planFileSchema>;
export type PlanFileVm = PlanFile['vms'][number];
export type PlanWait = z.output<typeof wait>;
export type PointChoice = z.output<typeof point>;

export function keyOf({ key, vm: name }: Pick<PlanFileVm, 'key' | 'vm'>): string {
  return key ?? name;
}
