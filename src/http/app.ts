import { Hono } from 'hono';
import type { Clock } from '../lib/clock.ts';
import type { NamedKind } from '../lib/names.ts';
import type { NameSettings } from '../policy/known-callers.ts';
import type { Mint } from '../actions/mint-key.ts';
import type { Lift } from '../actions/lift.ts';
import type { ListRevocations } from '../actions/list-revocations.ts';
import type { ListSessions } from '../actions/list-sessions.ts';
import type { Revoking } from '../actions/revoke.ts';
import type { ShowSession } from '../actions/show-session.ts';
import type { Vend } from '../actions/vend/vend.ts';
import { refusalAnswer, toResponse } from './answer.ts';
import type { Authenticate } from './authenticate.ts';
import { askedBy } from './asked.ts';
import { route, type Env } from './route.ts';
import type { Health } from './readiness.ts';
import { createHealthHandler, createReadinessHandler } from './routes/health.ts';
import { createKeysHandler } from './routes/keys.ts';
import { createProfilesHandler } from './routes/profiles.ts';
import { createLiftHandler, createRevocationsHandler, createRevokeHandler } from './routes/revocations.ts';
import { createRevokeSessionHandler, createSessionHandler, createSessionsHandler } from './routes/sessions.ts';
import { createVendHandler } from './routes/vend.ts';
import { createWhoamiHandler } from './routes/whoami.ts';

/** What the endpoints need. */
export type AppDependencies = {
  readonly authenticate: Authenticate;
  readonly vend: Vend;
  readonly mint: Mint;
  readonly revoke: Revoking['revoke'];
  readonly revokeSession: Revoking['revokeSession'];
  readonly lift: Lift;
  readonly listRevocations: ListRevocations;
  readonly listSessions: ListSessions;
  readonly showSession: ShowSession;
  readonly clock: Clock;
  readonly bareNames: NamedKind;
  readonly names: NameSettings;
  readonly health: () => Health;
  /** Told of every exception that reached the top: each is a bug. */
  readonly onBug: (error: unknown, requestId: string) => void;
};

/** All endpoints. What is not among them is answered 404 before anybody asks who is calling. */
export function createApp(dependencies: AppDependencies): Hono<Env> {
  const app = new Hono<Env>();
  const vend = createVendHandler(dependencies);
  route(app, '/', { GET: vend, POST: vend }, { head: false });
  route(app, '/profiles', { GET: createProfilesHandler(dependencies) }, { head: false });
  route(app, '/whoami', { GET: createWhoamiHandler(dependencies) }, { head: false });
  route(app, '/sessions', { GET: createSessionsHandler(dependencies) }, { head: false });
  route(app, '/sessions/:id', { GET: createSessionHandler(dependencies) }, { head: false });
  route(app, '/sessions/:id/revoke', { POST: createRevokeSessionHandler(dependencies) }, { head: false });
  route(
    app,
    '/revocations',
    { GET: createRevocationsHandler(dependencies), POST: createRevokeHandler(dependencies) },
    { head: false },
  );
  route(app, '/revocations/:id', { DELETE: createLiftHandler(dependencies) }, { head: false });
  route(app, '/keys', { POST: createKeysHandler(dependencies) }, { head: false });
  route(app, '/healthz', { GET: createHealthHandler(dependencies) }, { head: true });
  route(app, '/readyz', { GET: createReadinessHandler(dependencies) }, { head: true });
  app.notFound((context) => toResponse(refusalAnswer(context.env.requestId, { kind: 'not-found' })));
  app.onError((error, context) => {
    dependencies.onBug(error, context.env.requestId);
    const { requestId, head } = context.env;
    return toResponse(refusalAnswer(requestId, { kind: 'internal' }, {}, askedBy(head)));
  });
  return app;
}
