import { createRequestOutbox } from '../approvals/outbox.ts';
import { createSnsClient } from '../aws/clients.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { Config } from '../config/config.ts';
import { createDispatcher, type Dispatcher } from '../notify/dispatcher.ts';
import { createReceivers } from '../notify/receivers.ts';
import { createRevocationOutbox } from '../revocations/events.ts';
import type { RevocationLog } from '../revocations/log.ts';
import type { Runtime } from './runtime.ts';

/** What sends events, and whether anybody is there to receive them. */
export type Events = {
  readonly dispatcher: Dispatcher;
  readonly isHeard: () => boolean;
  /** Hints that a request was written, so that its event need not wait for the next look. */
  readonly noticeRequest: (row: { readonly id: string; readonly version: number }) => void;
};

/** The topic of SNS that events go to, with a client for its region; undefined without one. */
function toTopic({ events, endpoints, region }: Config, { meter }: Pick<Runtime, 'meter'>) {
  const arn = events.topicArn;
  if (arn === undefined) return undefined;
  const home = arn.split(':')[3] ?? region;
  return { arn, client: createSnsClient({ region: home, endpoint: endpoints.sns }, meter.called) };
}

/** Constructs what sends events to a webhook and to SNS. */
export function assembleEvents(
  { config, clock, monotonic, clients, logger, meter }: Runtime,
  { sealingKeys, webhook }: Pick<Catalog, 'sealingKeys' | 'webhook'>,
  log: RevocationLog,
): Events {
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
  const requests = createRequestOutbox({
    client: clients.feed,
    table: config.tables.requests,
    clock,
    sealingKeys,
  });
  const revocations = createRevocationOutbox({
    client: clients.feed,
    guard: config.tables.guard,
    clock,
    log,
  });
  const dispatcher = createDispatcher({
    sources: [requests, revocations],
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
  };
}
