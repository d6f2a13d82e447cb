import type { CatalogState } from '../../catalog/catalog.ts';
import { SECOND } from '../../lib/clock.ts';
import type { FeedState } from '../../sessions/feed.ts';
import { jsonAnswer, type Answer } from '../answer.ts';
import type { Arrival } from '../authenticate.ts';

/** What operation needs to know of the server. */
export type Health = {
  readonly draining: boolean;
  readonly catalog: CatalogState;
  readonly revocations: FeedState;
};

type Dependencies = { readonly health: () => Health };

/**
 * `GET /healthz`: whether this instance should get requests: up, not draining, the catalog tried once. An outage of AWS
 * is no reason to replace an instance, so it does not show here; a reading that never ends is a bug, and one.
 */
export const createHealthHandler =
  ({ health }: Dependencies) =>
  ({ requestId }: Arrival): Answer => {
    const { draining, catalog, revocations } = health();
    const status = draining ? 'draining' : livenessOf(catalog, revocations);
    return jsonAnswer(requestId, { status }, status === 'ok' ? 200 : 503);
  };

function livenessOf(catalog: CatalogState, revocations: FeedState): 'stuck' | 'ok' | 'starting' {
  if (catalog.stuck) return 'stuck';
  return catalog.tried && revocations.tried ? 'ok' : 'starting';
}

/** `GET /readyz`: whether requests can be served now, for people and alarms: counts, no names. */
export const createReadinessHandler =
  ({ health }: Dependencies) =>
  ({ requestId }: Arrival): Answer => {
    const { draining, catalog, revocations } = health();
    const degraded = catalog.failing || catalog.rejected > 0 || revocations.failing;
    const status = draining || !catalog.usable || !revocations.usable ? 'unready' : degraded ? 'degraded' : 'ready';
    const body = {
      status,
      catalog: {
        age_seconds: catalog.ageSeconds ?? null,
        profiles: catalog.profiles,
        rejected: catalog.rejected,
        findings: catalog.findings,
      },
      revocations: {
        age_seconds: revocations.ageMs === undefined ? null : Math.floor(revocations.ageMs / SECOND),
        // Loudly: it is not the ordinary state.
        ...(revocations.inGrace ? { grace: true } : {}),
      },
      draining,
    };
    return jsonAnswer(requestId, body, status === 'unready' ? 503 : 200);
  };
