import { Link } from '@tanstack/react-router';
import type { Overview } from '../api/answers.ts';
import { formatCount, formatShare } from '../show/format.ts';
import { Panel } from '../show/page.tsx';
import { Status, type Tone } from '../show/status.tsx';

const STATES = [
  ['protected', 'protected', 'ok', 'protected'],
  ['outOfRpo', 'out of RPO', 'warn', 'out-of-rpo'],
  ['unprotected', 'unprotected', 'bad', 'unprotected'],
  ['excluded', 'excluded', 'off', 'excluded'],
] as const satisfies readonly (readonly [keyof Overview['protection'], string, Tone, string])[];

/** Of all VMs that should be protected, how many are. Those that somebody excluded do not count. */
export function ProtectionFigures({ protection, orphans }: { readonly protection: Overview['protection']; readonly orphans: number | undefined }) {
  const wanted = protection.protected + protection.outOfRpo + protection.unprotected;
  return (
    <>
      <Panel>
        <div className="ov-row">
          {wanted === 0 ? (
            <span>There is no VM that should be protected.</span>
          ) : (
            <>
              <span className="ov-figure-value">{formatShare(protection.protected, wanted)}</span>
              <span>
                protected: {formatCount(protection.protected)} of {formatCount(wanted)} VMs
              </span>
            </>
          )}
        </div>
        <div className="ov-ratio" aria-hidden>
          {STATES.map(
            ([key, , tone]) =>
              protection[key] > 0 && key !== 'excluded' && <span key={key} className={`ov-bg-${tone}`} style={{ flexGrow: protection[key] }} />,
          )}
        </div>
      </Panel>
      <div className="ov-figures">
        {STATES.map(([key, text, tone, filter]) => (
          <Link key={key} to="/vms" search={{ protection: filter }} className="ov-figure">
            <div className="ov-figure-value">{formatCount(protection[key])}</div>
            <Status tone={tone}>{text}</Status>
          </Link>
        ))}
        {orphans !== undefined && (
          <Link to="/infrastructure" hash="orphans" className="ov-figure">
            <div className="ov-figure-value">{formatCount(orphans)}</div>
            <Status tone={orphans === 0 ? 'ok' : 'bad'}>{orphans === 1 ? 'orphan' : 'orphans'} in OpenNebula</Status>
          </Link>
        )}
      </div>
    </>
  );
}
