import type { Health as HealthBody, Readiness as ReadinessBody } from '../../contract/shapes.ts';
import { SECOND } from '../../lib/clock.ts';
import { jsonAnswer, type Answer } from '../answer.ts';
import type { Arrival } from '../arrival.ts';
import { readinessOf, type Health } from '../readiness.ts';

type Dependencies = { readonly health: () => Health };

function livenessOf({ draining, catalog, revocations, audit }: Health): HealthBody['status'] {
  if (draining) return 'draining';
  if (catalog.stuck) return 'stuck';
  // Without the audit log nothing is vended here, and another instance may have one that works.
  if (!audit.writable) return 'audit_unwritable';
  return catalog.tried && revocations.tried ? 'ok' : 'starting';
}

function toReadinessBody(health: Health): ReadinessBody {
  const { draining, catalog, revocations, audit } = health;
  return {
    status: readinessOf(health),
    catalog: {
      age_seconds: catalog.ageSeconds ?? null,
      profiles: catalog.profiles,
      rejected: catalog.rejected,
      findings: catalog.findings,
    },
    revocations: {
      age_seconds: revocations.ageMs === undefined ? null : Math.floor(revocations.ageMs / SECOND),
      under_old_keys: revocations.underOldKeys,
      // Loudly, and only then: it is not the ordinary state.
      broken: revocations.broken || undefined,
      grace: revocations.inGrace || undefined,
    },
    audit: { writable: audit.writable, lost: audit.lost },
    draining,
  };
}

/** `/healthz` and `/readyz`, which ask for no identity. */
export function createHealthHandlers({ health: readHealth }: Dependencies) {
  /**
   * `GET /healthz`: whether this instance should get requests: it is up and not draining, the
   * catalog was tried once, audit lines are taken. An outage of AWS is no reason to replace an
   * instance, so it does not show here; a reading that never ends is a bug, and is one.
   */
  function health({ requestId }: Arrival): Answer {
    const status = livenessOf(readHealth());
    return jsonAnswer(requestId, { status } satisfies HealthBody, status === 'ok' ? 200 : 503);
  }

  /** `GET /readyz`: whether requests can be served now, for people and alarms: counts, no names. */
  function readiness({ requestId }: Arrival): Answer {
    const body = toReadinessBody(readHealth());
    return jsonAnswer(requestId, body, body.status === 'unready' ? 503 : 200);
  }

  return { health, readiness };
}
