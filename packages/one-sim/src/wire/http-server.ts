import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Cloud } from '../cloud.ts';
import type { CallFault } from '../control/fault-rules.ts';
import { type Executed, execute } from '../methods/dispatch.ts';
import { faultResponse, type MethodCall, parseCall, refusalResponse, successResponse } from './envelope.ts';
import { actForeign } from './foreign-acts.ts';
import { FAULT_CODE, Fault, Refusal } from './refusal.ts';

export interface ConnectionRules {
  /** Calls a connection may carry (KEEPALIVE_MAX_CONN). */
  readonly callsPerConnection: number;
  readonly idleMs: number;
  readonly maxConnections: number;
}

export const ONED_CONNECTION_RULES: ConnectionRules = { callsPerConnection: 30, idleMs: 15_000, maxConnections: 15 };

const MAX_REQUEST_BYTES = 64 << 20;

/** Answers control requests below /sim/; returns false for a path that is not its own. */
export type ControlRoutes = (request: IncomingMessage, response: ServerResponse, body: () => Promise<string>) => Promise<boolean>;

/** An HTTP server with oned's manners: POST /RPC2, text/xml, a connection closed after 30 calls or 15 idle seconds. */
export function createXmlRpcServer(cloud: Cloud, rules: ConnectionRules, control: ControlRoutes): Server {
  const server = createServer((request, response) => {
    handle(cloud, request, response, control).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(500, { 'content-type': 'text/plain' });
      response.end(error instanceof Error ? error.message : String(error));
    });
  });
  server.keepAliveTimeout = rules.idleMs;
  server.maxRequestsPerSocket = rules.callsPerConnection;
  return server;
}

async function handle(cloud: Cloud, request: IncomingMessage, response: ServerResponse, control: ControlRoutes): Promise<void> {
  response.setHeader('server', 'Xmlrpc-c_Abyss/1.33.14');
  const body = (): Promise<string> => readBody(request);
  if (request.url?.startsWith('/sim/')) {
    if (!(await control(request, response, body))) response.writeHead(404).end();
    return;
  }
  if (request.url !== '/RPC2') return void response.writeHead(404).end();
  if (request.method !== 'POST') return void response.writeHead(405, { allow: 'POST' }).end();
  if (!request.headers['content-type']?.startsWith('text/xml')) return void response.writeHead(400).end();
  await answer(cloud, await body(), response);
}

async function answer(cloud: Cloud, body: string, response: ServerResponse): Promise<void> {
  let call: MethodCall;
  try {
    call = await parseCall(body);
  } catch (error) {
    return send(response, faultResponse(error instanceof Fault ? error : new Fault(FAULT_CODE.PARSE, String(error))));
  }
  const foreign = cloud.faults.takeForeign(call.method);
  if (foreign?.when === 'before') await actForeign(cloud, foreign);
  const fault = cloud.faults.takeForCall(call.method);
  if (fault) {
    await answerFaulty(cloud, call, fault, response);
    if (foreign && foreign.when !== 'before') await actForeign(cloud, foreign);
    return;
  }
  const { xml, executed } = await run(cloud, call);
  if (foreign && foreign.when !== 'before') {
    startAfter(cloud, executed);
    await actForeign(cloud, foreign);
    return send(response, xml);
  }
  send(response, xml);
  startAfter(cloud, executed);
}

interface Outcome {
  readonly xml: string;
  readonly executed: Executed | undefined;
}

async function run(cloud: Cloud, call: MethodCall): Promise<Outcome> {
  try {
    const executed = await execute(cloud, call);
    return { xml: successResponse(executed.answer), executed };
  } catch (error) {
    if (error instanceof Refusal) return { xml: refusalResponse(call.method, error), executed: undefined };
    if (error instanceof Fault) return { xml: faultResponse(error), executed: undefined };
    throw error;
  }
}

function startAfter(cloud: Cloud, executed: Executed | undefined): void {
  for (const operation of executed?.afterAnswer ?? []) cloud.engine.start(operation);
}

/** The answer an injected fault wants. */
async function answerFaulty(cloud: Cloud, call: MethodCall, fault: CallFault, response: ServerResponse): Promise<void> {
  switch (fault.fault) {
    case 'refuse':
      return send(response, refusalResponse(call.method, new Refusal(fault.code, fault.text)));
    case 'xmlrpc-fault':
      return send(response, faultResponse(new Fault(fault.code, fault.text)));
    case 'http-status':
      return void response.writeHead(fault.status, { 'content-type': 'text/html' }).end(`<html><body>${fault.status}</body></html>`);
    case 'drop-before':
      return void response.socket?.destroy();
    case 'huge-answer':
      return send(response, successResponse(`<HUGE>${'x'.repeat(fault.bytes)}</HUGE>`));
    case 'delay':
      return answerLate(cloud, call, fault, response);
    case 'hang':
      if (fault.execute) startAfter(cloud, (await run(cloud, call)).executed);
      return;
    case 'drop-after':
    case 'truncate':
    case 'truncate-body':
      return answerBroken(cloud, call, fault.fault, response);
  }
}

async function answerLate(cloud: Cloud, call: MethodCall, fault: Extract<CallFault, { readonly fault: 'delay' }>, response: ServerResponse): Promise<void> {
  const late = { signal: cloud.engine.stopping }; // a caller who hangs up is not noticed: the call is executed all the same
  if (fault.when === 'before') await cloud.clock.sleep(fault.ms, late);
  const { xml, executed } = await run(cloud, call);
  startAfter(cloud, executed);
  if (fault.when === 'after') await cloud.clock.sleep(fault.ms, late);
  send(response, xml);
}

async function answerBroken(cloud: Cloud, call: MethodCall, kind: 'drop-after' | 'truncate' | 'truncate-body', response: ServerResponse): Promise<void> {
  const { xml, executed } = await run(cloud, call);
  if (kind === 'drop-after') response.socket?.destroy();
  else if (kind === 'truncate') send(response, xml.slice(0, Math.floor(xml.length / 2)));
  else send(response, successResponse(typeof executed?.answer === 'string' ? executed.answer.slice(0, Math.floor(executed.answer.length / 2)) : ''));
  startAfter(cloud, executed);
}

function send(response: ServerResponse, xml: string): void {
  const bytes = Buffer.from(xml);
  response.writeHead(200, { 'content-type': 'text/xml; charset=utf-8', 'content-length': bytes.length });
  response.end(bytes);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > MAX_REQUEST_BYTES) throw new RangeError(`a request of more than ${MAX_REQUEST_BYTES} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks, size).toString('utf8');
}
