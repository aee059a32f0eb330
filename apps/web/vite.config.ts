import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';
import { fakeApiPlugin } from './testing/vite-plugin.ts';

/** `vite` serves against a server at ONEVAULT_SERVER (such as http://127.0.0.1:8440); `vite --mode fake` against believable data. */
export default defineConfig(({ mode }) => ({
  plugins: [react(), ...(mode === 'fake' ? [fakeApiPlugin()] : [])],
  resolve: { conditions: ['@onevault/source', 'module', 'browser', 'development|production'] },
  // The server puts a fresh nonce in its place in every answer: Mantine writes style elements.
  html: { cspNonce: '__ONEVAULT_CSP_NONCE__' },
  server: { proxy: mode === 'fake' ? {} : { '/api': process.env['ONEVAULT_SERVER'] ?? 'http://127.0.0.1:8440' } },
  build: { target: 'es2022', modulePreload: { polyfill: false }, assetsInlineLimit: 0, reportCompressedSize: false },
}));
