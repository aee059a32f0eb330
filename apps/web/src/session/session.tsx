import { useQuery, useQueryClient } from '@tanstack/react-query';
import { createContext, type ReactNode, use, useEffect } from 'react';
import type { Session } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { ApiError, keepCsrfToken, whenSignedOut } from '../api/http.ts';
import { ProblemNotice } from '../show/notice.tsx';
import { Waiting } from '../show/page.tsx';
import { SESSION_KEY } from './session-key.ts';
import { SignIn } from './sign-in.tsx';

const SessionContext = createContext<Session | undefined>(undefined);
const RANK = { viewer: 0, operator: 1, admin: 2 } as const;

async function whoAmI({ signal }: { readonly signal: AbortSignal }): Promise<Session | null> {
  try {
    const session = await call('whoAmI', {}, { signal });
    keepCsrfToken(session.csrfToken);
    return session;
  } catch (error) {
    if (error instanceof ApiError && error.problem.status === 401) return null;
    throw error;
  }
}

/** Nothing of the UI is there without a session; the address stays, so that signing in leads where one wanted to go. */
export function SessionGate({ children }: { readonly children: ReactNode }) {
  const client = useQueryClient();
  const asked = useQuery({ queryKey: SESSION_KEY, queryFn: whoAmI, staleTime: Number.POSITIVE_INFINITY });
  useEffect(
    () =>
      whenSignedOut(() => {
        keepCsrfToken(undefined);
        client.setQueryData(SESSION_KEY, null);
      }),
    [client],
  );
  if (asked.data === undefined)
    return (
      <main className="ov-gate">
        <div className="ov-gate-card">{asked.error === null ? <Waiting /> : <ProblemNotice error={asked.error} onRetry={() => void asked.refetch()} />}</div>
      </main>
    );
  if (asked.data === null) return <SignIn />;
  return <SessionContext value={asked.data}>{children}</SessionContext>;
}

/** Who is signed in. Only below the gate. */
export function useSession(): Session {
  const session = use(SessionContext);
  if (session === undefined) throw new Error('no session here');
  return session;
}

/** Whether the role of whoever is signed in reaches so far. What they may do to a VM is OpenNebula's to say: the server asks it. */
export function useMay(role: Session['role']): boolean {
  return RANK[useSession().role] >= RANK[role];
}
