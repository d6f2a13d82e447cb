import { SECOND } from '../../lib/clock.ts';
import { jsonAnswer, type Answer } from '../answer.ts';
import type { Arrival } from '../arrival.ts';
import { readinessOf, type Health } from '../readiness.ts';

type Dependencies = { readonly health: () => Health };

/**
 * `GET /healthz`: whether this instance should get requests: up, not draining, the catalog tried once, audit lines
 * taken. An outage of AWS is no reason to replace an instance, so it does not show here; a reading that never ends is a
 * bug, and one.
 */
export function createHealthHandler({ health }: Dependencies) {
  function healthHandler({ requestId }: Arrival): Answer {
    const { draining, ...rest } = health();
    const status = draining ? 'draining' : livenessOf(rest);
    return jsonAnswer(requestId, { status }, status === 'ok' ? 200 : 503);
  }

  return healthHandler;
}

type Liveness = 'stuck' | 'audit_unwritable' | 'ok' | 'starting';

function livenessOf({ catalog, revocations, audit }: Omit<Health, 'draining'>): Liveness {
  if (catalog.stuck) return 'stuck';
  // Without the audit log nothing is vended here, and another instance may have one that works.
  if (!audit.writable) return 'audit_unwritable';
  return catalog.tried && revocations.tried ? 'ok' : 'starting';
}

/** `GET /readyz`: whether requests can be served now, for people and alarms: counts, no names. */
export function createReadinessHandler({ health }: Dependencies) {
  function readinessHandler({ requestId }: Arrival): Answer {
    const now = health();
    const { draining, catalog, revocations, audit } = now;
    const status = readinessOf(now);
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
  }

  return readinessHandler;
}
