import { Link } from '@tanstack/react-router';
import type { Overview } from '../api/answers.ts';
import { Copyable } from '../show/copyable.tsx';
import { Empty, Panel } from '../show/page.tsx';
import { Status } from '../show/status.tsx';
import { When } from '../show/when.tsx';

/** What failed lately, each with what to do about it. */
export function Failures({ failures }: { readonly failures: Overview['failures'] }) {
  return (
    <Panel
      title="Failures"
      flush
      actions={
        <Link to="/runs" search={{ state: 'failed' }}>
          All
        </Link>
      }
    >
      {failures.length === 0 && <Empty>Nothing failed lately.</Empty>}
      <table className="ov-table" hidden={failures.length === 0}>
        <caption className="ov-unseen">runs that failed lately</caption>
        <tbody>
          {failures.map(({ runId, name, vmId, at, code, message, hint }) => (
            <tr key={runId}>
              <td>
                <div className="ov-row">
                  <Status tone="bad">
                    <Link to="/runs/$runId" params={{ runId }}>
                      {name}
                    </Link>
                  </Status>
                  {vmId !== undefined && (
                    <Link to="/vms/$vmId" params={{ vmId: String(vmId) }}>
                      VM {vmId}
                    </Link>
                  )}
                  <span className="ov-dim">
                    <When at={at} age />
                  </span>
                  <Copyable text={code} label="the error code" />
                </div>
                <div>{message}</div>
                {hint !== undefined && <div className="ov-dim">→ {hint}</div>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}
