import { context, SpanStatusCode, trace, type Attributes } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { NEVER, VirtualTimeScheduler } from 'rxjs';
import { clockOf } from '../../../src/flow/index.js';
import { decorate } from '../../../src/store/decorators/decorate.js';
import { faulty } from '../../../src/store/decorators/faults.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import { observed } from '../../../src/store/observe/observed.js';
import { progressChannel, type SourceProgress } from '../../../src/store/observe/sourceProgress.js';
import { openTelemetry, type OpenTelemetryBridge } from '../../../src/store/observe/openTelemetry.js';

const body = Buffer.from('12345');
const spans = new InMemorySpanExporter();
const tracers = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
let exporter: InMemoryMetricExporter;
let reader: PeriodicExportingMetricReader;
let meters: MeterProvider;
let bridge: OpenTelemetryBridge;

beforeEach(() => {
  spans.reset();
  exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 2 ** 30 });
  meters = new MeterProvider({ readers: [reader] });
  bridge = openTelemetry({ tracer: tracers.getTracer('test'), meter: meters.getMeter('test') });
});
afterEach(async () => {
  bridge.stop();
  await meters.shutdown();
});

/** `name{labels} value`, of all that was measured. */
async function measured(name: string): Promise<{ value: unknown; labels: Attributes }[]> {
  await reader.forceFlush();
  const last = exporter.getMetrics().at(-1);
  return (last?.scopeMetrics ?? [])
    .flatMap(({ metrics }) => metrics)
    .filter(({ descriptor }) => descriptor.name === name)
    .flatMap(({ dataPoints }) =>
      (dataPoints as { value: unknown; attributes: Attributes }[]).map(({ value, attributes }) => ({
        value,
        labels: attributes,
      })),
    );
}

const s3 = (uri = 's3://lake') => createMemoryStore({ uri });
const put = {
  'millrace.store.scheme': 's3',
  'millrace.store.method': 'put',
  'rpc.system': 'aws-api',
  'rpc.service': 'S3',
  'rpc.method': 'PutObject',
  'aws.s3.bucket': 'lake',
};

describe('spans', () => {
  test('have the names and attributes of the conventions', () => {
    const store = observed(s3('s3x://host:9000/lake'));
    store.put('a', body).subscribe();
    store.get('a').subscribe();
    const [first, second] = spans.getFinishedSpans();
    expect(first).toMatchObject({
      name: 'S3.PutObject',
      attributes: {
        ...put,
        'millrace.store.scheme': 's3x',
        'server.address': 'host:9000',
        'aws.s3.key': 'a',
        'http.request.body.size': 5,
      },
      status: { code: SpanStatusCode.UNSET },
    });
    expect(second).toMatchObject({ name: 'S3.GetObject', attributes: { 'http.response.body.size': 5 } });
    observed(createMemoryStore({ uri: 'memory://m' }))
      .list({ prefix: 'p' })
      .subscribe();
    expect(spans.getFinishedSpans()[2]).toMatchObject({
      name: 'store list',
      attributes: { 'millrace.store': 'memory://m', 'millrace.store.key': 'p' },
    });
  });

  test('show retries as events, and errors', () => {
    const time = new VirtualTimeScheduler();
    const retry = { retries: 1, clock: clockOf(time), random: () => 1 };
    observed(faulty(s3(), { random: () => 0, throttled: 1 }), { retry })
      .put('a', body)
      .subscribe({ error: () => undefined });
    time.flush();
    observed(s3())
      .head('none')
      .subscribe({ error: () => undefined });
    const [throttled, missing] = spans.getFinishedSpans();
    expect(throttled).toMatchObject({
      attributes: { 'error.type': 'Throttled', 'http.request.resend_count': 1 },
      status: { code: SpanStatusCode.ERROR },
      events: [
        {
          name: 'retry',
          attributes: { 'millrace.retry.failed': 1, 'millrace.retry.delay': 1, 'error.type': 'Throttled' },
        },
      ],
    });
    expect(missing).toMatchObject({ attributes: { 'error.type': 'NotFound' } });
  });

  test('are children of the span in which the request was made', () => {
    const parent = tracers.getTracer('test').startSpan('parent');
    const current = trace.setSpan(context.active(), parent);
    const deactivate = activate(current);
    observed(s3()).put('a', body).subscribe();
    deactivate();
    expect(spans.getFinishedSpans()[0]?.parentSpanContext?.spanId).toBe(parent.spanContext().spanId);
  });

  test('end when a request is aborted, or the bridge is stopped', () => {
    const store = observed(decorate(s3(), () => NEVER));
    store.head('a').subscribe().unsubscribe();
    store.head('b').subscribe();
    expect(spans.getFinishedSpans()).toHaveLength(1);
    expect(spans.getFinishedSpans()[0]?.attributes['millrace.request.aborted']).toBe(true);
    bridge.stop();
    expect(spans.getFinishedSpans()).toHaveLength(2);
    store.head('c').subscribe();
    expect(spans.getFinishedSpans()).toHaveLength(2);
  });
});

describe('metrics', () => {
  test('count requests, errors, latencies, bytes and retries, and never by key', async () => {
    const time = new VirtualTimeScheduler();
    const clock = clockOf(time);
    const retry = { retries: 2, clock, random: () => 1 };
    const store = observed(s3(), { clock });
    store.put('a', body).subscribe();
    store.put('b', body).subscribe();
    store.get('a').subscribe();
    store.head('none').subscribe({ error: () => undefined });
    observed(faulty(s3(), { random: () => 0, throttled: 1 }), { clock, retry })
      .put('c', body)
      .subscribe({ error: () => undefined });
    time.flush();
    const get = { ...put, 'millrace.store.method': 'get', 'rpc.method': 'GetObject' };
    const head = { ...put, 'millrace.store.method': 'head', 'rpc.method': 'HeadObject' };
    const durations = (await measured('millrace.store.request.duration')).map(({ value, labels }) => {
      const { count, sum } = value as { count: number; sum: number };
      return { count, sum, labels };
    });
    expect(durations).toEqual([
      { count: 2, sum: 0, labels: put },
      { count: 1, sum: 0, labels: get },
      { count: 1, sum: 0, labels: { ...head, 'error.type': 'NotFound' } },
      { count: 1, sum: 3, labels: { ...put, 'error.type': 'Throttled' } },
    ]);
    expect(await measured('millrace.store.request.retries')).toEqual([
      { value: 2, labels: { ...put, 'error.type': 'Throttled' } },
    ]);
    expect(await measured('millrace.store.io')).toEqual([
      { value: 10, labels: { ...put, 'network.io.direction': 'transmit' } },
      { value: 5, labels: { ...get, 'network.io.direction': 'receive' } },
    ]);
  });

  test('show requests in flight', async () => {
    const store = observed(decorate(s3(), () => NEVER));
    const one = store.put('a', body).subscribe();
    store.put('b', body).subscribe();
    expect(await measured('millrace.store.request.active')).toEqual([{ value: 2, labels: put }]);
    one.unsubscribe();
    expect(await measured('millrace.store.request.active')).toEqual([{ value: 1, labels: put }]);
    bridge.stop();
    expect(await measured('millrace.store.request.active')).toEqual([{ value: 0, labels: put }]);
  });
});

describe('metrics of sources', () => {
  const progress = (objects: number, list: number): SourceProgress => ({
    listed: { objects: objects + 2, bytes: 30 },
    read: { objects, bytes: 10 },
    left: { objects: 2, bytes: 20 },
    complete: false,
    requests: { list, head: 0 },
    lag: { oldestMs: 5000, listingMs: 2000 },
  });
  const labels = { 'millrace.job.name': 'clicks', 'millrace.source.id': 'in' };

  test('show what is read, what is left, the lag, and requests of the discovery', async () => {
    const tell = (now: SourceProgress | undefined): void =>
      progressChannel.publish({ job: 'clicks', source: 'in', progress: now });
    tell(progress(1, 3));
    tell(progress(4, 5));
    expect(await measured('millrace.source.objects')).toEqual([
      { value: 4, labels: { ...labels, 'millrace.source.state': 'read' } },
      { value: 2, labels: { ...labels, 'millrace.source.state': 'left' } },
    ]);
    expect((await measured('millrace.source.bytes')).map(({ value }) => value)).toEqual([10, 20]);
    const [lag] = await measured('millrace.source.lag');
    expect(lag?.value).toBeGreaterThanOrEqual(5);
    const [age] = await measured('millrace.source.listing.age');
    expect(age?.value).toBeGreaterThanOrEqual(2);
    const requests = { ...labels, 'millrace.store.method': 'list' };
    expect(await measured('millrace.source.discovery.requests')).toEqual([{ value: 5, labels: requests }]);
    tell(undefined);
    // The next attempt counts anew; the counter goes on.
    tell(progress(4, 2));
    expect(await measured('millrace.source.discovery.requests')).toEqual([{ value: 7, labels: requests }]);
  });

  test('show nothing of a source that is closed, or after the bridge is stopped', async () => {
    // A cumulative reader repeats the last values.
    exporter = new InMemoryMetricExporter(AggregationTemporality.DELTA);
    reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 2 ** 30 });
    const provider = new MeterProvider({ readers: [reader] });
    const other = openTelemetry({ tracer: 'none', meter: provider.getMeter('test') });
    const tell = async (now: SourceProgress | undefined): Promise<number> => {
      progressChannel.publish({ job: 'clicks', source: 'in', progress: now });
      exporter.reset();
      return (await measured('millrace.source.objects')).length;
    };
    expect(await tell(progress(1, 1))).toBe(2);
    expect(await tell(undefined)).toBe(0);
    expect(await tell(progress(1, 1))).toBe(2);
    other.stop();
    expect(await tell(progress(1, 1))).toBe(0);
    await provider.shutdown();
  });
});

/** Makes `current` the active context until the function that comes back is called. */
function activate(current: ReturnType<typeof context.active>): () => void {
  context.setGlobalContextManager({
    active: () => current,
    with: (_, work, self, ...args) => work.call(self as never, ...args),
    bind: (_, target) => target,
    enable() {
      return this;
    },
    disable() {
      return this;
    },
  });
  return () => context.disable();
}
