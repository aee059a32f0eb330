import type { Plugin } from 'vite';

const TICK_MS = 700;

/** `vite --mode fake`: the pages without a server of onevault. Sign in as oneadmin, olga or vera, with any password but `wrong`. */
export function fakeApiPlugin(): Plugin {
  return {
    name: 'onevault-fake-api',
    async configureServer(server) {
      const { FakeApi } = (await server.ssrLoadModule('/testing/fake-api.ts')) as typeof import('./fake-api.ts');
      const api = new FakeApi();
      const timer = setInterval(() => api.state.runs.tick(), TICK_MS);
      server.httpServer?.on('close', () => clearInterval(timer));
      server.middlewares.use((request, response, next) => {
        void api.handle(request, response).then((handled) => handled || next());
      });
    },
  };
}
