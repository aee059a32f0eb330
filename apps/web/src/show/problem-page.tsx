import { Link } from '@tanstack/react-router';
import { ApiError } from '../api/http.ts';
import { ProblemNotice } from './notice.tsx';
import { Empty, Page, Panel } from './page.tsx';

interface Subject {
  /** What the page would be of: `VM`, `run`. */
  readonly what: string;
  /** How the address names it. */
  readonly named: string;
  /** Where those are that there are. */
  readonly among: { readonly to: '/vms' | '/runs' | '/policies'; readonly text: string };
}

/** Instead of the page of something that is not there: said once, with a way on. */
export function MissingPage({ what, named, among }: Subject) {
  return (
    <Page title={`There is no such ${what}`} name={`No such ${what}`}>
      <Panel>
        <Empty>
          The address names the {what} <code>{named}</code>. It is wrong, what it names is gone, or OpenNebula does not let you USE it.
        </Empty>
        <Link to={among.to}>{among.text}</Link>
      </Panel>
    </Page>
  );
}

/** Instead of the page of something that cannot be shown. */
export function ProblemPage({ error, onRetry, ...subject }: Subject & { readonly error: unknown; readonly onRetry: () => void }) {
  if (error instanceof ApiError && error.problem.status === 404) return <MissingPage {...subject} />;
  return (
    <Page title={`The ${subject.what} cannot be shown`} name={subject.what}>
      <ProblemNotice error={error} onRetry={onRetry} />
    </Page>
  );
}
