import type { DrillSpec, Json } from '@onevault/backup-format';
import type { SerializedError } from '@onevault/base';
import { z } from 'zod';
import type { DrillReport } from './drill-model.ts';

const MESSAGE_CHARS = 2000;

const ms = z.number().nullable();
const factsSchema = z.object({
  runId: z.string(),
  sourceVmId: z.number().nullable(),
  vmName: z.string(),
  network: z.union([z.literal('none'), z.number()]),
  need: z.enum(['all', 'any']),
  signs: z.array(z.object({ kind: z.string(), seen: z.boolean(), afterMs: ms, evidence: z.string() })),
  measures: z.object({ writeMs: ms, bootMs: ms, lifeMs: ms, rtoMs: ms, restoredBytes: z.number(), writtenBytes: z.number() }),
  failure: z.object({ stage: z.string(), code: z.string(), message: z.string(), details: z.unknown() }).nullable(),
  notes: z.array(z.string()),
  residue: z.array(z.string()),
});

/** What a record says of a drill; of later versions as far as it is understood. */
export type DrillFacts = z.infer<typeof factsSchema>;

/** Evidence as it is kept: bounded, so that it fits whatever a guest wrote and however many disks there are. */
export function drillSpec(report: Omit<DrillReport, 'recordId'>): DrillSpec {
  const { failure, measures } = report;
  const facts: DrillFacts = {
    runId: report.runId,
    sourceVmId: report.sourceVmId ?? null,
    vmName: report.vmName.slice(0, 256),
    network: report.network,
    need: report.need,
    signs: report.signs.slice(0, 8).map((sign) => ({ ...sign, afterMs: sign.afterMs ?? null })),
    measures: {
      writeMs: measures.writeMs ?? null,
      bootMs: measures.bootMs ?? null,
      lifeMs: measures.lifeMs ?? null,
      rtoMs: measures.rtoMs ?? null,
      restoredBytes: measures.restoredBytes,
      writtenBytes: measures.writtenBytes,
    },
    failure: failure === undefined ? null : { stage: failure.stage, ...errorFacts(failure.error) },
    notes: report.notes.slice(0, 50).map(({ code }) => code.slice(0, 100)),
    residue: report.residue.slice(0, 20).map((object) => object.slice(0, 300)),
  };
  return {
    group: report.group,
    pointId: report.pointId,
    outcome: report.outcome,
    startedAt: report.startedAt,
    finishedAt: report.finishedAt,
    facts: facts as unknown as { readonly [key: string]: Json },
  };
}

/** Details name the damage: disk and byte range. What does not fit is left out, whole. */
function errorFacts(error: SerializedError): { code: string; message: string; details: unknown } {
  const details = JSON.stringify(error.details ?? {});
  return {
    code: error.code ?? 'INTERNAL',
    message: error.message.slice(0, MESSAGE_CHARS),
    details: details.length <= MESSAGE_CHARS ? JSON.parse(details) : {},
  };
}

/** Undefined for a record that another program, or a later onevault, wrote in its own way. */
export function readDrillFacts(facts: { readonly [key: string]: Json }): DrillFacts | undefined {
  const parsed = factsSchema.safeParse(facts);
  return parsed.success ? parsed.data : undefined;
}
