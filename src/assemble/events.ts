import { createRequestOutbox } from '../approvals/outbox.ts';
import { createEventOutbox } from '../breakglass/outbox.ts';
import { createSnsClient } from '../aws/clients.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { Config } from '../config/config.ts';
import { createDispatcher, type Dispatcher } from '../notify/dispatcher.ts';
import { createReceivers } from '../notify/receivers.ts';
import { createRevocationOutbox } from '../revocations/events.ts';
import type { RevocationLog } from '../revocations/log.ts';
import type { Runtime } from './runtime.ts';

/** One version of a row that was written. */
type Writing = { readonly id: string; readonly version: number };

/** What sends events, and whether anybody is there to receive them. */
export type Events = {
  readonly dispatcher: Dispatcher;
  readonly isHeard: () => boolean;
  /** Hints that a request was written, so that its event need not wait for the next look. */
  readonly noticeRequest: (row: Writing) => void;
  /** The same of a break-glass event. */
  readonly noticeEvent: (row: Writing) => void;
};

/** The topic of SNS that events go to, with a client for its region; undefined without one. */
function toTopic({ events, endpoints, region }: Config, { meter }: Pick<Runtime, 'meter'>) {
  const arn = events.topicArn;
  if (arn === undefined) return undefined;
  const home = arn.split(':')[3] ?? region;
  return { arn, client: createSnsClient({ region: home, endpoint: endpoints.sns }, meter.called) };
}

/**
 * Constructs the outboxes in which events wait: of requests for approvals, break-glass and
 * revocations.
 */
function assembleOutboxes(
  { config: { tables }, clock, clients: { feed: client } }: Runtime,
  sealingKeys: Catalog['sealingKeys'],
  log: RevocationLog,
) {
  return {
    requests: createRequestOutbox({ client, table: tables.requests, clock, sealingKeys }),
    breakGlass: createEventOutbox({ client, table: tables.breakglass, clock, sealingKeys }),
    revocations: createRevocationOutbox({ client, guard: tables.guard, clock, log }),
  };
}

/** Constructs what sends events to a webhook and to SNS. */
export function assembleEvents(
  runtime: Runtime,
  { sealingKeys, webhook }: Pick<Catalog, 'sealingKeys' | 'webhook'>,
  log: RevocationLog,
): Events {
  const { config, clock, monotonic, logger, meter } = runtime;
  const receivers = createReceivers({
    webhookUrl: config.events.webhookUrl,
    webhookFormat: config.events.webhookFormat,
    document: webhook,
    topic: toTopic(config, { meter }),
    publicUrl: config.publicUrl,
    clock,
    local: config.local,
    onLambda: config.onLambda,
  });
  const { requests, breakGlass, revocations } = assembleOutboxes(runtime, sealingKeys, log);
  const dispatcher = createDispatcher({
    sources: [requests, breakGlass, revocations],
    receivers,
    clock,
    monotonic,
    meter,
    logger,
  });
  return {
    dispatcher,
    isHeard: () => receivers().length > 0,
    noticeRequest: (row) => dispatcher.notice(requests, row),
    noticeEvent: (row) => dispatcher.notice(breakGlass, row),
  };
}
