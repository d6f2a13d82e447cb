import type { CatalogState } from '../../catalog/catalog.ts';
import { jsonAnswer, type Answer } from '../answer.ts';
import type { Arrival } from '../authenticate.ts';

/** What operation needs to know of the server. */
export type Health = { readonly draining: boolean; readonly catalog: CatalogState };

type Dependencies = { readonly health: () => Health };

/**
 * `GET /healthz`: whether this instance should get requests: up, not draining, the catalog tried once. An outage of AWS
 * is no reason to replace an instance, so it does not show here.
 */
export const createHealthHandler =
  ({ health }: Dependencies) =>
  ({ requestId }: Arrival): Answer => {
    const { draining, catalog } = health();
    const status = draining ? 'draining' : catalog.tried ? 'ok' : 'starting';
    return jsonAnswer(requestId, { status }, status === 'ok' ? 200 : 503);
  };

/** `GET /readyz`: whether requests can be served now, for people and alarms: counts, no names. */
export const createReadinessHandler =
  ({ health }: Dependencies) =>
  ({ requestId }: Arrival): Answer => {
    const { draining, catalog } = health();
    const degraded = catalog.failing || catalog.rejected > 0;
    const status = draining || !catalog.usable ? 'unready' : degraded ? 'degraded' : 'ready';
    const body = {
      status,
      catalog: { age_seconds: catalog.ageSeconds ?? null, profiles: catalog.profiles, rejected: catalog.rejected },
      revocations: { age_seconds: null },
      draining,
    };
    return jsonAnswer(requestId, body, status === 'unready' ? 503 : 200);
  };
