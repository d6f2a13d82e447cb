import type { AuditHealth } from '../../audit/log.ts';
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
  readonly audit: AuditHealth;
};

type Dependencies = { readonly health: () => Health };

/**
 * `GET /healthz`: whether this instance should get requests: up, not draining, the catalog tried once, audit lines
 * taken. An outage of AWS is no reason to replace an instance, so it does not show here; a reading that never ends is a
 * bug, and one.
 */
export const createHealthHandler =
  ({ health }: Dependencies) =>
  ({ requestId }: Arrival): Answer => {
    const { draining, ...rest } = health();
    const status = draining ? 'draining' : livenessOf(rest);
    return jsonAnswer(requestId, { status }, status === 'ok' ? 200 : 503);
  };

type Liveness = 'stuck' | 'audit_unwritable' | 'ok' | 'starting';

function livenessOf({ catalog, revocations, audit }: Omit<Health, 'draining'>): Liveness {
  if (catalog.stuck) return 'stuck';
  // Without the audit log nothing is vended here, and another instance may have one that works.
  if (!audit.writable) return 'audit_unwritable';
  return catalog.tried && revocations.tried ? 'ok' : 'starting';
}

/** `GET /readyz`: whether requests can be served now, for people and alarms: counts, no names. */
export const createReadinessHandler =
  ({ health }: Dependencies) =>
  ({ requestId }: Arrival): Answer => {
    const { draining, catalog, revocations, audit } = health();
    const degraded = catalog.failing || catalog.rejected > 0 || revocations.failing || audit.losing;
    const unready = draining || !catalog.usable || !revocations.usable || !audit.writable;
    const able = degraded ? 'degraded' : 'ready';
    const status = unready ? 'unready' : able;
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
        // While it is not 0, the sealing key that was used before must not be deleted.
        under_old_keys: revocations.underOldKeys,
        // Loudly: it is not the ordinary state.
        ...(revocations.broken ? { broken: true } : {}),
        ...(revocations.inGrace ? { grace: true } : {}),
      },
      audit: { writable: audit.writable, lost: audit.lost },
      draining,
    };
    return jsonAnswer(requestId, body, status === 'unready' ? 503 : 200);
  };
