import { SECOND } from '../lib/clock.ts';
import type { AuditHealth } from '../audit/log.ts';
import type { CatalogState } from '../catalog/catalog.ts';
import type { FeedState } from '../revocations/feed-state.ts';

/** The state of the server's parts, for health checks and the log. */
export type Health = {
  readonly draining: boolean;
  readonly catalog: CatalogState;
  readonly revocations: FeedState;
  readonly audit: AuditHealth;
};

/** How often a change of readiness is looked for, which the log then tells. */
export const LOOK = 1 * SECOND;

/** Whether requests can be served; when `degraded` they are, but somebody should look. */
export type Readiness = 'ready' | 'degraded' | 'unready';

/** What keeps a server from being ready, in words for the log; empty when nothing does. */
function reasonsOf({ draining, catalog, revocations, audit }: Health): readonly string[] {
  const reasons: readonly (readonly [so: boolean, reason: string])[] = [
    [draining, 'the server is about to end'],
    [!catalog.usable, 'there are no documents that are young enough'],
    [!revocations.usable, 'there is no list of revocations that is young enough'],
    [!audit.writable, 'the audit log cannot be written'],
    [catalog.failing, 'the documents could not be read the last time'],
    [catalog.rejected > 0, 'there are broken documents'],
    [revocations.failing, 'the revocations could not be read the last time'],
    [revocations.inGrace, 'the outage grace is being used'],
    [audit.losing, 'lines of the audit log are being lost'],
  ];
  return reasons.filter(([so]) => so).map(([, reason]) => reason);
}

/** How ready a server is. */
export function readinessOf({ draining, catalog, revocations, audit }: Health): Readiness {
  if (draining || !catalog.usable || !revocations.usable || !audit.writable) return 'unready';
  const isDegraded = catalog.failing || catalog.rejected > 0 || revocations.failing || audit.losing;
  return isDegraded ? 'degraded' : 'ready';
}

/** The states from bad to good. */
const ORDER: readonly Readiness[] = ['unready', 'degraded', 'ready'];

/**
 * Makes what looks whether readiness has changed since it last looked.
 *
 * @param tell gets a change in one sentence, and whether it is one for the better
 */
export function createReadinessWatch(
  health: () => Health,
  tell: (sentence: string, isBetter: boolean) => void,
): () => void {
  let before: Readiness | undefined;

  function look(): void {
    const state = health();
    const now = readinessOf(state);
    if (now === before) return;
    const reasons = reasonsOf(state);
    const because = reasons.length === 0 ? '' : `: ${reasons.join('; ')}`;
    const from = before === undefined ? '' : ` (it was ${before})`;
    const isBetter =
      now === 'ready' || (before !== undefined && ORDER.indexOf(now) > ORDER.indexOf(before));
    before = now;
    tell(`the server is ${now}${from}${because}`, isBetter);
  }

  return look;
}
