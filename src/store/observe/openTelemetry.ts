/**
 * Spans and metrics of all stores, from their messages on `node:diagnostics_channel`, named by OpenTelemetry's semantic
 * conventions, and metrics of sources (`sourceMetrics.ts`). The only module that loads `@opentelemetry/api`, an optional peer.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import {
  metrics,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Meter,
  type Span,
  type Tracer,
} from '@opentelemetry/api';
import { checkOptions, type OptionNames } from '../../config/checkOptions.js';
import { SourceMetrics } from './sourceMetrics.js';
import type { RequestEnd, RequestError, RequestRetry, RequestStart, StoreRequest } from './channels.js';

export interface OpenTelemetryOptions {
  /** Default: the global provider's tracer `millrace`. `'none'`: no spans. */
  readonly tracer?: Tracer | 'none';
  /** Default: the global provider's meter `millrace`. `'none'`: no metrics. */
  readonly meter?: Meter | 'none';
}

const names: OptionNames<OpenTelemetryOptions> = { tracer: true, meter: true };

/** A running bridge. `stop` ends it, and the spans of unfinished requests. */
export interface OpenTelemetryBridge {
  stop(): void;
  [Symbol.dispose](): void;
}

/**
 * Reports the requests of all stores to OpenTelemetry as spans and metrics, and the progress of sources as metrics, until it is stopped. Call it once, after the
 * providers are registered.
 *
 * @example
 * ```ts
 * import { openTelemetry } from 'millrace/opentelemetry';
 *
 * const bridge = openTelemetry();
 * bridge.stop();
 * ```
 */
export function openTelemetry(options: OpenTelemetryOptions = {}): OpenTelemetryBridge {
  checkOptions('openTelemetry', options, names);
  const { tracer = trace.getTracer('millrace'), meter = metrics.getMeter('millrace') } = options;
  const views = [
    ...(tracer === 'none' ? [] : [new Spans(tracer)]),
    ...(meter === 'none' ? [] : [new Metrics(meter)]),
  ];
  const listeners = (['start', 'retry', 'error', 'end'] as const).map((name) => ({
    name: `millrace:request:${name}`,
    listener: (message: unknown): void => {
      for (const view of views)
        view[name](message as RequestStart & RequestRetry & RequestError & RequestEnd);
    },
  }));
  for (const { name, listener } of listeners) subscribe(name, listener);
  const sources = meter === 'none' ? undefined : new SourceMetrics(meter);
  const stop = (): void => {
    for (const { name, listener } of listeners) unsubscribe(name, listener);
    for (const view of views) view.stop();
    sources?.stop();
  };
  return { stop, [Symbol.dispose]: stop };
}

class Spans {
  readonly #tracer: Tracer;
  readonly #open = new Map<number, Span>();

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  start({ request }: RequestStart): void {
    const { rpc, ...where } = described(request);
    const span = this.#tracer.startSpan(rpc === undefined ? `store ${request.method}` : `S3.${rpc}`, {
      kind: SpanKind.CLIENT,
      attributes: {
        ...where,
        ...(rpc === undefined ? {} : { 'rpc.method': rpc }),
        [rpc === undefined || several.has(request.method) ? 'millrace.store.key' : 'aws.s3.key']: request.key,
      },
    });
    this.#open.set(request.id, span);
  }

  retry({ request, failed, delay, code }: RequestRetry): void {
    this.#open.get(request.id)?.addEvent('retry', {
      'millrace.retry.failed': failed,
      'millrace.retry.delay': delay / 1000,
      'error.type': code,
    });
  }

  error({ request, status }: RequestError): void {
    if (status !== undefined) this.#open.get(request.id)?.setAttribute('http.response.status_code', status);
  }

  end({ request, outcome, tries, bytesDown, code }: RequestEnd): void {
    const span = this.#open.get(request.id);
    if (span === undefined) return;
    this.#open.delete(request.id);
    if (tries > 1) span.setAttribute('http.request.resend_count', tries - 1);
    if (request.bytesUp > 0) span.setAttribute('http.request.body.size', request.bytesUp);
    if (bytesDown > 0) span.setAttribute('http.response.body.size', bytesDown);
    if (code !== undefined) {
      span.setAttribute('error.type', code);
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
    if (outcome === 'aborted') span.setAttribute('millrace.request.aborted', true);
    span.end();
  }

  stop(): void {
    for (const span of this.#open.values()) span.end();
    this.#open.clear();
  }
}

class Metrics {
  readonly #duration;
  readonly #active;
  readonly #retries;
  readonly #io;
  /** The active requests whose start was counted: a bridge may start in the middle of requests. */
  readonly #open = new Map<number, Attributes>();

  constructor(meter: Meter) {
    this.#duration = meter.createHistogram('millrace.store.request.duration', {
      unit: 's',
      description:
        'How long requests take, retries and waits included; its count is that of requests, errors have error.type',
      advice: {
        explicitBucketBoundaries: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      },
    });
    this.#active = meter.createUpDownCounter('millrace.store.request.active', {
      unit: '{request}',
      description: 'Requests in progress',
    });
    this.#retries = meter.createCounter('millrace.store.request.retries', {
      unit: '{retry}',
      description: 'Tries that failed and are repeated, by what they failed with',
    });
    this.#io = meter.createCounter('millrace.store.io', {
      unit: 'By',
      description: 'Bytes of bodies, by network.io.direction',
    });
  }

  start({ request }: RequestStart): void {
    const labels = labelsOf(request);
    this.#open.set(request.id, labels);
    this.#active.add(1, labels);
  }

  retry({ request, code }: RequestRetry): void {
    this.#retries.add(1, { ...labelsOf(request), 'error.type': code });
  }

  error(): void {
    // `end` has the code, too.
  }

  end({ request, outcome, duration, bytesDown, code }: RequestEnd): void {
    const labels = this.#open.get(request.id);
    if (labels === undefined) return;
    this.#open.delete(request.id);
    this.#active.add(-1, labels);
    const failure = code ?? (outcome === 'aborted' ? 'Aborted' : undefined);
    this.#duration.record(duration / 1000, {
      ...labels,
      ...(failure === undefined ? {} : { 'error.type': failure }),
    });
    if (outcome !== 'answered') return;
    if (request.bytesUp > 0) this.#io.add(request.bytesUp, { ...labels, 'network.io.direction': 'transmit' });
    if (bytesDown > 0) this.#io.add(bytesDown, { ...labels, 'network.io.direction': 'receive' });
  }

  stop(): void {
    for (const labels of this.#open.values()) this.#active.add(-1, labels);
    this.#open.clear();
  }
}

/** Attributes of low cardinality: never the key. */
function labelsOf(request: StoreRequest): Attributes {
  const { rpc, ...where } = described(request);
  return { ...where, ...(rpc === undefined ? {} : { 'rpc.method': rpc }) };
}

/** Requests about several keys. */
const several: ReadonlySet<StoreRequest['method']> = new Set(['list', 'listUploads', 'delete']);

const rpcs: Readonly<Record<StoreRequest['method'], string>> = {
  head: 'HeadObject',
  get: 'GetObject',
  put: 'PutObject',
  list: 'ListObjectsV2',
  delete: 'DeleteObjects',
  copy: 'CopyObject',
  createUpload: 'CreateMultipartUpload',
  uploadPart: 'UploadPart',
  copyPart: 'UploadPartCopy',
  listParts: 'ListParts',
  listUploads: 'ListMultipartUploads',
  completeUpload: 'CompleteMultipartUpload',
  abortUpload: 'AbortMultipartUpload',
};

/** The attributes of the store; for S3, those of AWS's own instrumentation. */
function described({ store, method }: StoreRequest): Attributes & { readonly rpc?: string } {
  const [, scheme = '', server, bucket = ''] = /^(\w+):\/\/(?:(.*)\/)?([^/]*)$/.exec(store) ?? [];
  const common = { 'millrace.store.scheme': scheme, 'millrace.store.method': method };
  if (scheme !== 's3' && scheme !== 's3x') return { ...common, 'millrace.store': store };
  return {
    ...common,
    rpc: rpcs[method],
    'rpc.system': 'aws-api',
    'rpc.service': 'S3',
    'aws.s3.bucket': bucket,
    ...(server === undefined ? {} : { 'server.address': server }),
  };
}
