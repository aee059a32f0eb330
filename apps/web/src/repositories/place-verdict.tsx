import type { Answer } from '@onevault/api';
import { formatBytes } from '../show/format.ts';
import { Notice } from '../show/notice.tsx';

export type PlaceCheck = Pick<Answer<'checkRepository'>, 'verdict' | 'encrypted' | 'freeBytes' | 'reasons'>;

/** Whether a repository can be opened or made where this was found. */
export function isUsable({ verdict }: PlaceCheck): boolean {
  return verdict === 'repository' || isNew({ verdict });
}

export function isNew({ verdict }: Pick<PlaceCheck, 'verdict'>): boolean {
  return verdict === 'empty' || verdict === 'absent';
}

const TITLES: Readonly<Record<PlaceCheck['verdict'], string>> = {
  repository: 'A repository of onevault is there',
  empty: 'Nothing is there yet: a new repository can be made',
  absent: 'The place does not exist yet: it would be made',
  occupied: 'Something else is there',
  unusable: 'It cannot be used as it stands',
};

/** What the server found at a place, and what to do about it. */
export function PlaceVerdict({ check }: { readonly check: PlaceCheck }) {
  const { verdict, encrypted, freeBytes, reasons } = check;
  const isGood = verdict === 'repository' || (isNew(check) && reasons.length === 0);
  const facts = [
    encrypted === undefined ? undefined : encrypted ? 'encrypted, and the secret opens it' : undefined,
    freeBytes === undefined ? undefined : `${formatBytes(freeBytes)} free`,
  ].filter((fact) => fact !== undefined);
  return (
    <Notice tone={isGood && reasons.length === 0 ? 'ok' : isUsable(check) ? 'warn' : 'bad'} title={TITLES[verdict]} live>
      {facts.length > 0 && <span>{facts.join(', ')}</span>}
      {reasons.length > 0 && (
        <ul className="ov-issues">
          {reasons.map(({ code, text, remedy }) => (
            <li key={`${code} ${text}`}>
              {text} <code>{code}</code>
              {remedy !== undefined && <div>→ {remedy}</div>}
            </li>
          ))}
        </ul>
      )}
    </Notice>
  );
}
