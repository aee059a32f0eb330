import type { Answer } from '@onevault/api';
import { type FakeHandlers, pageOf } from './fake-call.ts';
import type { FakeState } from './fake-state.ts';
import { Refusal } from './refusal.ts';

type Vm = Answer<'getVm'>;
const HOUR = 3_600_000;

export function policyHandlers(state: FakeState): FakeHandlers {
  return {
    listPolicies: () => [...state.policies.values()],
    putPolicy: ({ params, body }) => {
      const preview = previewOf(state, body);
      const { kind } = body;
      const name = String(params['name']);
      const policy = {
        name,
        kind,
        enabled: body['enabled'] !== false,
        document: body,
        matches: preview.selected,
        nextRunAt: preview.nextRuns[0]?.at,
        rpoMs: 26 * HOUR,
      };
      state.policies.set(name, policy);
      return policy;
    },
    deletePolicy: ({ params }) => void state.policies.delete(String(params['name'])),
    previewPolicy: ({ body }) => previewOf(state, body),
    retentionCalendar: ({ query }) => {
      const points = query['vmId'] === undefined ? [] : state.pointsOf(Number(query['vmId']));
      const days = points.map(({ id, vmId, capturedAt, keptBy, goesOn }) => ({
        pointId: id,
        vmId,
        capturedAt,
        keptBy,
        ...(goesOn !== undefined && { goesOn }),
      }));
      return pageOf(days, query);
    },
  };
}

/** Of selectors only what tests write; what is wrong is refused as the server does. */
function previewOf(state: FakeState, document: Readonly<Record<string, unknown>>): Answer<'previewPolicy'> {
  const { include = [], exclude = [] } = (document['select'] ?? {}) as { include?: string[]; exclude?: string[] };
  const schedules = (document['schedules'] ?? []) as { at: string; mode?: string }[];
  const issues = schedules.flatMap(({ at }, index) =>
    at.trim() === '' ? [{ path: `schedules.${index}.at`, message: 'is empty; such as 22:30, Mon..Fri 22:30, every 4h' }] : [],
  );
  if (include.length === 0) issues.push({ path: 'select.include', message: 'at least one selector' });
  if (issues.length > 0) throw new Refusal(422, 'POLICY_INVALID', 'the policy is not valid', { issues });
  const chosen = state.vms.filter((vm) => vm.exists && include.some((text) => fits(text, vm)));
  const excluded = chosen.filter((vm) => exclude.some((text) => fits(text, vm)));
  const verdicts = chosen.map(({ id, name }) =>
    excluded.some((vm) => vm.id === id)
      ? ({ id, name, verdict: 'excluded', by: exclude[0], reason: `excluded by ${exclude[0]}` } as const)
      : ({ id, name, verdict: 'selected', by: include[0] } as const),
  );
  const nextRuns = Array.from({ length: 5 }, (_, index) => ({
    at: new Date(Math.ceil(state.now() / HOUR) * HOUR + index * 24 * HOUR).toISOString(),
    mode: schedules[0]?.mode ?? 'auto',
  }));
  return { selected: chosen.length - excluded.length, excluded: excluded.length, vms: verdicts, nextRuns };
}

function fits(text: string, vm: Vm): boolean {
  const [, key, value = ''] = /^(\w+)=(.+)$/.exec(text) ?? [];
  if (text.trim() === '*') return true;
  if (key === 'label') return vm.labels.includes(value);
  if (key === 'name') return new RegExp(`^${value.replaceAll('*', '.*')}$`).test(vm.name);
  return false;
}
