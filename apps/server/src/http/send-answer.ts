import { createHash } from 'node:crypto';
import type { Operation } from '@onevault/api';
import type { Logger } from '@onevault/base';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ServerError } from '../errors.ts';
import type { FileAnswer } from '../ports/call.ts';
import { DATA_POLICY } from './security-headers.ts';

/** What the schema does not name stays inside. */
export function checkAnswer(operation: Operation, given: unknown, logger: Logger): unknown {
  if (!('body' in operation.answer)) return undefined;
  const read = operation.answer.body.safeParse(given);
  if (read.success) return read.data;
  logger.error({ operation: operation.id, issues: read.error.issues.slice(0, 5) }, 'an answer is not what its operation promises');
  throw new ServerError({ code: 'SERVER_INTERNAL', message: 'the answer is not what this operation promises', hint: 'Look for the requestId in the log' });
}

export function sendJson(request: FastifyRequest, reply: FastifyReply, status: number, json: string): FastifyReply {
  void reply.code(status).type('application/json; charset=utf-8').header('content-security-policy', DATA_POLICY);
  if (request.method !== 'GET') return reply.header('cache-control', 'no-store').send(json);
  const etag = `W/"${createHash('sha1').update(json).digest('base64url')}"`;
  void reply.header('etag', etag).header('cache-control', 'private, no-cache');
  return request.headers['if-none-match'] === etag ? reply.code(304).send() : reply.send(json);
}

export function sendFile(reply: FastifyReply, { contentType, filename, body }: FileAnswer): FastifyReply {
  void reply.type(contentType).header('content-security-policy', DATA_POLICY).header('cache-control', 'no-store');
  if (filename !== undefined) void reply.header('content-disposition', attachment(filename));
  return reply.send(body);
}

/** RFC 6266: any name, without a way out of the header. */
function attachment(filename: string): string {
  const plain = filename.replaceAll(/[^\w. ()-]/g, '_');
  const encoded = encodeURIComponent(Buffer.from(filename).toString()).replaceAll(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}
