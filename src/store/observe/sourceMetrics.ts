/** Metrics of the sources of all jobs, from their messages on `millrace:source:progress`. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Attributes, BatchObservableCallback, Meter } from '@opentelemetry/api';
import { progressChannel, type ProgressMessage, type SourceProgress } from './sourceProgress.js';

interface Known {
  readonly labels: Attributes;
  readonly progress: SourceProgress;
  /** When it was reported, by the monotonic clock. */
  readonly at: number;
}

/** Gauges show what is known when they are collected: a lag has grown since it was reported. */
export class SourceMetrics {
  readonly #known = new Map<string, Known>();
  readonly stop: () => void;

  constructor(meter: Meter) {
    const objects = meter.createObservableGauge('millrace.source.objects', {
      unit: '{object}',
      description: 'Objects that a source has read, and those that it has found and not read',
    });
    const bytes = meter.createObservableGauge('millrace.source.bytes', {
      unit: 'By',
      description: 'Bytes that a source has read, and those of objects that it has found and not read',
    });
    const lag = meter.createObservableGauge('millrace.source.lag', {
      unit: 's',
      description:
        'Age of the oldest object that a continuous source has found and not read; 0 if there is none',
    });
    const listing = meter.createObservableGauge('millrace.source.listing.age', {
      unit: 's',
      description: 'Time since the start of the last complete listing of a continuous source',
    });
    const requests = meter.createCounter('millrace.source.discovery.requests', {
      unit: '{request}',
      description: 'Requests with which sources look for objects',
    });
    const gauges = [objects, bytes, lag, listing];
    const collect: BatchObservableCallback = (result) => {
      for (const { labels, progress, at } of this.#known.values()) {
        for (const state of ['read', 'left'] as const) {
          const ofState = { ...labels, 'millrace.source.state': state };
          result.observe(objects, progress[state].objects, ofState);
          result.observe(bytes, progress[state].bytes, ofState);
        }
        if (progress.lag === undefined) continue;
        const since = performance.now() - at;
        const { oldestMs, listingMs } = progress.lag;
        result.observe(lag, oldestMs === undefined ? 0 : (oldestMs + since) / 1000, labels);
        result.observe(listing, (listingMs + since) / 1000, labels);
      }
    };
    const listener = (message: unknown): void => {
      const { job, source, progress } = message as ProgressMessage;
      const key = JSON.stringify([job, source]);
      const before = this.#known.get(key)?.progress.requests;
      if (progress === undefined) {
        this.#known.delete(key);
        return;
      }
      const labels = { 'millrace.job.name': job, 'millrace.source.id': source };
      this.#known.set(key, { labels, progress, at: performance.now() });
      for (const method of ['list', 'head'] as const) {
        const sent = progress.requests[method] - (before?.[method] ?? 0);
        if (sent > 0) requests.add(sent, { ...labels, 'millrace.store.method': method });
      }
    };
    meter.addBatchObservableCallback(collect, gauges);
    subscribe(progressChannel.name, listener);
    this.stop = () => {
      unsubscribe(progressChannel.name, listener);
      meter.removeBatchObservableCallback(collect, gauges);
      this.#known.clear();
    };
  }
}
