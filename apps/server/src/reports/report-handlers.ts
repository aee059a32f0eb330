import { type Clock, type Logger, serializeError } from '@onevault/base';
import type { Call, Caller, FileAnswer, HandlerTable } from '../ports/call.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { Inventory } from '../ports/inventory.ts';
import { type DrillFacts, drillsReport, protectionReport, type ReportFacts, sizesReport } from './build-reports.ts';
import { CONTENT_TYPES, type ReportFormat, renderReport, type TableReport } from './table-report.ts';

export interface ReportDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly inventory: Pick<Inventory, 'vms'>;
  readonly catalog: Pick<Catalog, 'ofVm' | 'repositories'>;
  readonly protectionOf: ReportFacts['protectionOf'];
  /** What the caller may see of a repository's drills. */
  readonly drills: (repository: string, call: Call) => Promise<readonly DrillFacts[]>;
}

type ReportCall = Call<unknown, { readonly format: ReportFormat }>;

/** `protectionReport`, `sizesReport`, `drillsReport`: of what the caller may USE. */
export function reportHandlers(deps: ReportDeps): HandlerTable {
  const { clock, inventory, catalog, protectionOf } = deps;
  const factsFor = (caller: Caller): ReportFacts => ({ vms: inventory.vms().filter((vm) => caller.mayUse(vm)), catalog, protectionOf });
  const answer = (name: string, report: TableReport, { query }: ReportCall): FileAnswer => {
    const at = clock.now();
    return {
      contentType: CONTENT_TYPES[query.format],
      filename: `onevault-${name}-${at.toISOString().slice(0, 10)}.${query.format}`,
      body: renderReport(report, query.format, at),
    };
  };
  return {
    protectionReport: async (call: ReportCall) => answer('protection', protectionReport(factsFor(call.caller)), call),
    sizesReport: async (call: ReportCall) => answer('sizes', sizesReport(factsFor(call.caller)), call),
    drillsReport: async (call: ReportCall) => {
      const found: DrillFacts[] = [];
      const problems: string[] = [];
      for (const { name } of catalog.repositories()) {
        try {
          found.push(...(await deps.drills(name, call)));
        } catch (error) {
          call.signal.throwIfAborted();
          deps.logger.warn({ repository: name, error: serializeError(error) }, 'a report lacks drills');
          problems.push(name);
        }
      }
      return answer('drills', drillsReport(factsFor(call.caller), found, problems), call);
    },
  };
}
