/**
 * Every command of a client passes the gate before it is signed and sent, has the timeout of its kind, reports its response
 * to the gate, and keeps its place until the body is read or dropped.
 *
 * Uploads and downloads have no overall timeout, since their duration is unknown, only the handler's timeout for silence.
 * Copies and Completes, which servers process for long without sending a byte, may be silent for all of their time.
 */
import { Readable } from 'node:stream';
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import type { Clock } from '../../flow/index.js';
import { throttleOf } from './errors.js';
import type { Gate, Pass } from './gate.js';

/** Milliseconds for a whole request, by kind. */
export interface WholeTimes {
  readonly lowTimeout: number;
  readonly highTimeout: number;
}

interface Command {
  readonly input: { readonly Bucket?: string };
}

interface SendOptions {
  readonly abortSignal?: AbortSignal;
  /** Overrides the handler's timeout for silence before the response. */
  readonly requestTimeout?: number;
}

type Send = (command: Command, options?: SendOptions) => Promise<unknown>;

type Kind = 'low' | 'high' | 'body';

/** By class, not by name: minifiers change names. */
const kinds = new Map<unknown, Kind>([
  [GetObjectCommand, 'body'],
  [PutObjectCommand, 'body'],
  [UploadPartCommand, 'body'],
  [CopyObjectCommand, 'high'],
  [UploadPartCopyCommand, 'high'],
  [CompleteMultipartUploadCommand, 'high'],
]);

/** Routes everything that `client` sends through `gate`. Returns the client. */
export function gated(client: S3Client, gate: Gate, times: WholeTimes, clock: Clock): S3Client {
  const send = client.send.bind(client) as unknown as Send;
  const through: Send = async (command, options = {}) => {
    const { abortSignal } = options;
    const pass = await enter(gate, command.input.Bucket ?? '', abortSignal);
    const kind = kinds.get(command.constructor) ?? 'low';
    const time = kind === 'low' ? times.lowTimeout : kind === 'high' ? times.highTimeout : undefined;
    const limit = new Limit(clock, time, abortSignal);
    try {
      const answer = await send(command, {
        ...options,
        ...(limit.signal === undefined ? {} : { abortSignal: limit.signal }),
        ...(kind === 'high' ? { requestTimeout: times.highTimeout } : {}),
      });
      pass.answered('otherwise');
      leaveAfter(answer, pass);
      return answer;
    } catch (error) {
      const throttle = throttleOf(error);
      if (throttle !== undefined) pass.answered('throttled', throttle.retryAfter);
      else if (hasStatus(error)) pass.answered('otherwise');
      pass.leave();
      throw limit.over ? new Overdue(time) : error;
    } finally {
      limit.end();
    }
  };
  client.send = through as unknown as typeof client.send;
  return client;
}

function enter(gate: Gate, bucket: string, signal: AbortSignal | undefined): Promise<Pass> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => {
      withdraw();
      reject(Object.assign(new Error('The request was aborted'), { name: 'AbortError' }));
    };
    let withdraw = (): void => undefined;
    if (signal?.aborted === true) {
      aborted();
      return;
    }
    signal?.addEventListener('abort', aborted, { once: true });
    withdraw = gate.enter(bucket, (pass) => {
      signal?.removeEventListener('abort', aborted);
      resolve(pass);
    });
  });
}

/** An unread body holds the socket, and so the place. */
function leaveAfter(answer: unknown, pass: Pass): void {
  const body = (answer as { readonly Body?: unknown } | undefined)?.Body;
  if (!(body instanceof Readable) || body.closed) pass.leave();
  else body.once('close', () => pass.leave());
}

/** Without a response the gate learns nothing about the server's load. */
function hasStatus(error: unknown): boolean {
  return (
    (error as { readonly $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode !== undefined
  );
}

/** A signal that is aborted with another one, or after a timeout. */
class Limit {
  readonly signal: AbortSignal | undefined;
  readonly end: () => void = () => undefined;
  over = false;

  constructor(clock: Clock, ms: number | undefined, outer: AbortSignal | undefined) {
    this.signal = outer;
    if (ms === undefined) return;
    const controller = new AbortController();
    const abort = (): void => controller.abort();
    if (outer?.aborted === true) abort();
    outer?.addEventListener('abort', abort, { once: true });
    const alarm = clock.after(ms, () => {
      this.over = true;
      abort();
    });
    this.signal = controller.signal;
    this.end = () => {
      alarm.unsubscribe();
      outer?.removeEventListener('abort', abort);
    };
  }
}

class Overdue extends Error {
  override readonly name = 'TimeoutError';
  readonly code = 'ETIMEDOUT';

  constructor(ms: number | undefined) {
    super(`The whole request took longer than ${ms ?? 0} ms`);
  }
}
