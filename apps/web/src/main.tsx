import { MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { ApiError } from './api/http.ts';
import { makeRouter } from './routes.tsx';
import { SessionGate } from './session/session.tsx';
import { cssVariables, theme } from './theme.ts';
import './style/mantine.css';
import './style/base.css';
import './style/frame.css';
import './style/tables.css';
import './style/figures.css';
import './style/timeline.css';
import './style/forms.css';

/** What the server refused once it refuses again; what did not come at all may come. */
function triesAgain(failures: number, error: unknown): boolean {
  const status = error instanceof ApiError ? error.problem.status : 0;
  return failures < 2 && (status === 0 || status >= 502);
}

const queries = new QueryClient({
  defaultOptions: { queries: { retry: triesAgain, staleTime: 5000, refetchOnWindowFocus: true }, mutations: { retry: false } },
});
const router = makeRouter();
// The page's own file comes while the server is asked who is there, not after it.
void router.load();
const nonce = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce;
const root = document.getElementById('root');
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <MantineProvider theme={theme} cssVariablesResolver={cssVariables} defaultColorScheme="auto" getStyleNonce={() => nonce ?? ''}>
        <QueryClientProvider client={queries}>
          <SessionGate>
            <RouterProvider router={router} />
          </SessionGate>
        </QueryClientProvider>
      </MantineProvider>
    </StrictMode>,
  );
}
