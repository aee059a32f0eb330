import { Link } from '@tanstack/react-router';
import { ProblemNotice } from '../show/notice.tsx';
import { Empty, Page, Panel } from '../show/page.tsx';

export function NotFound() {
  return (
    <Page title="There is no such page" name="Not found">
      <Panel>
        <Empty>
          The address is wrong, or what it names is gone. <Link to="/">Home</Link>
        </Empty>
      </Panel>
    </Page>
  );
}

export function RouteProblem({ error, reset }: { readonly error: unknown; readonly reset: () => void }) {
  return (
    <Page title="This page cannot be shown" name="Error">
      <ProblemNotice error={error} onRetry={reset} />
    </Page>
  );
}
