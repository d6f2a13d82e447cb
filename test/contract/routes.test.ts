import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { OWN_ERRORS } from '../../src/contract/errors.ts';
import {
  describeRoutes,
  findPath,
  findRoute,
  idIn,
  PATHS,
  toShownPath,
} from '../../src/contract/paths.ts';
import { ROUTES, type OperationName, type Route } from '../../src/contract/routes.ts';
import { createApp } from '../../src/http/app.ts';
import { toRefusalAnswer } from '../../src/http/refusals.ts';
import { toRouteLabel, type Env } from '../../src/http/route.ts';
import type { Health } from '../../src/http/readiness.ts';
import { refuse } from '../../src/lib/result.ts';

const OPERATIONS = Object.entries(ROUTES) as [OperationName, Route][];
const METHODS = ['GET', 'POST', 'DELETE', 'PUT', 'PATCH', 'OPTIONS', 'HEAD'];

/** A request's path for a route: one in which the id has the right form. */
function pathOf({ path }: Pick<Route, 'path'>): string {
  return path.replace(':id', '0123456789abcdef');
}

const HEALTH: Health = {
  draining: false,
  catalog: {
    tried: true,
    ageSeconds: 1,
    profiles: 0,
    rejected: 0,
    findings: 0,
    failing: false,
    usable: true,
    stuck: false,
  },
  revocations: {
    tried: true,
    ageMs: 1,
    live: 0,
    usable: true,
    failing: false,
    inGrace: false,
    underOldKeys: 0,
    broken: false,
  },
  audit: { writable: true, lost: 0, losing: false },
};

/** Whoever reaches this operation was let in by the app, which is all that these tests look for. */
function unreachable(): never {
  throw new Error('an operation was reached without authentication');
}

/** The app as it is, with nobody behind it who knows any caller. */
const app = createApp({
  authenticate: () => Promise.resolve(refuse({ kind: 'overloaded' })),
  vend: unreachable,
  mint: unreachable,
  revoke: unreachable,
  revokeSession: unreachable,
  lift: unreachable,
  listRevocations: unreachable,
  listSessions: unreachable,
  showSession: unreachable,
  requestApproval: unreachable,
  listRequests: unreachable,
  showRequest: unreachable,
  decisions: { approve: unreachable, deny: unreachable, cancel: unreachable, end: unreachable },
  statusUrlOf: unreachable,
  openEvent: unreachable,
  listEvents: unreachable,
  showEvent: unreachable,
  events: { confirm: unreachable, close: unreachable, review: unreachable },
  clock: () => 0,
  bareNames: 'key',
  names: { bareNames: 'key' } as Parameters<typeof createApp>[0]['names'],
  health: () => HEALTH,
  onBug: unreachable,
});

/** Asks the app as the front door does. */
async function ask(method: string, path: string) {
  const head = { method, path } as Env['Bindings']['head'];
  const arrival = { head, requestId: 'r' } as Env['Bindings'];
  const response = await app.fetch(new Request(`http://sentinel${path}`, { method }), arrival);
  const text = await response.text();
  return {
    status: response.status,
    allow: response.headers.get('allow'),
    json: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
  };
}

describe('createApp', () => {
  it.each(OPERATIONS)(
    'answers %s, asking for an identity where the table says so',
    async (_, route) => {
      const { status, json } = await ask(route.method, pathOf(route));
      if (route.identity) {
        expect([status, json['error']]).toEqual([503, 'ServiceUnavailable']);
      } else {
        expect(status).toBe(route.status);
        expect(v.parse(route.answer, json)).toEqual(json);
      }
    },
  );

  it.each(
    PATHS.flatMap((routes) => METHODS.map((method) => [method, routes.path, routes] as const)),
  )(
    '%s %s is answered, or refused with 405 and Allow, as the table says',
    async (method, path, { allow }) => {
      const answer = await ask(method, pathOf({ path }));
      expect(answer.status === 405).toBe(!allow.includes(method));
      if (answer.status === 405) expect(answer.allow).toBe(allow.join(', '));
    },
  );

  it('answers HEAD only where the table says so', async () => {
    for (const [, { head, path }] of OPERATIONS.filter(([, { method }]) => method === 'GET')) {
      expect((await ask('HEAD', pathOf({ path }))).status === 405, path).toBe(!head);
    }
  });

  it('has no path that is not in the table', () => {
    const served = new Set(app.routes.map(({ path }) => path));
    expect(served).toEqual(new Set(PATHS.map(({ path }) => path)));
  });

  it.each(['/x', '/keys/', '/sessions/a/b', '/sessions/a/revoke/', '/Whoami'])(
    'answers 404 at %s',
    async (path) => {
      for (const method of METHODS) expect((await ask(method, path)).status).toBe(404);
    },
  );
});

describe('the 404 sentence', () => {
  const { message } = toRefusalAnswer({ kind: 'not-found' });

  it.each(OPERATIONS)('names %s', (_, { method, path, does }) => {
    expect(message).toContain(`${method} ${toShownPath(path)} `);
    expect(message).toContain(` ${does}`);
  });

  it('names methods that do the same together', () => {
    expect(describeRoutes()).toMatch(
      /^GET \/ or POST \/ vends credentials for a profile, GET \/profiles /u,
    );
  });

  it('is one sentence', () => {
    expect(message).toMatch(/^[A-Z][^.]*\.$/u);
  });
});

describe('findRoute and toRouteLabel', () => {
  it.each(OPERATIONS)('find %s by its method and path', (name, route) => {
    expect(findRoute({ method: route.method, path: pathOf(route) })).toBe(ROUTES[name]);
    expect(toRouteLabel(`${pathOf(route)}?a=/b`)).toBe(route.path);
  });

  it.each([
    '/sessions/',
    '/sessions/a/b',
    '/revocations/1/',
    '//',
    'x',
    '',
    '/*',
    '/sessions/a/revoke/b',
  ])('find nothing at %j', (path) => {
    expect(findPath(path)).toBeUndefined();
    expect(toRouteLabel(path)).toBe('other');
  });

  it('find nothing for another method', () => {
    expect(findRoute({ method: 'PUT', path: '/' })).toBeUndefined();
    expect(findRoute({ method: 'HEAD', path: '/healthz' })).toBeUndefined();
  });
});

describe('idIn', () => {
  it('finds what stands in the place of :id', () => {
    expect(idIn(ROUTES.revokeSession, '/sessions/abc/revoke')).toBe('abc');
    expect(idIn(ROUTES.lift, '/revocations/7')).toBe('7');
    expect(idIn({ path: '/keys' }, '/keys')).toBe('');
  });
});

describe('the table of routes', () => {
  it('has no method of a path twice', () => {
    const names = OPERATIONS.map(([, { method, path }]) => `${method} ${path}`);
    expect(names).toEqual([...new Set(names)]);
  });

  it('has the form of an id exactly where the path has an id', () => {
    for (const [name, route] of OPERATIONS)
      expect(route.id !== undefined, name).toBe(route.path.includes(':id'));
  });

  it('lets HEAD be answered only where nobody needs an identity, so that it never vends', () => {
    for (const [name, { head, identity }] of OPERATIONS) expect(head && identity, name).toBe(false);
  });

  it('has examples of bodies that the endpoint takes', () => {
    for (const [, route] of OPERATIONS) {
      if (route.method !== 'POST') continue;
      const example: unknown = JSON.parse(route.example.replace(/, or .*$/u, ''));
      expect(v.is(route.body.schema, example), route.example).toBe(true);
    }
  });
});

describe('README', () => {
  const page = readFileSync(resolve(import.meta.dirname, '..', '..', 'README.md'), 'utf8');
  const cells = [...page.matchAll(/^\| (`(?:GET|POST|DELETE) \/[^|]*)\|/gmu)].map(
    ([, cell = '']) => cell,
  );
  const requests = cells.flatMap((cell) => [...cell.matchAll(/`((?:GET|POST|DELETE) \/[^`]*)`/gu)]);

  it('has every endpoint in its table, and no other', () => {
    const named = requests.map(([, request = '']) => request.replace(/\?.*$/u, ''));
    const known = OPERATIONS.map(([, { method, path }]) => `${method} ${toShownPath(path)}`);
    expect(named.toSorted()).toEqual(known.toSorted());
  });

  it('has every parameter of a query that it shows', () => {
    const shown = requests.flatMap(([, request = '']) => {
      const [, path = '', query] = /^GET ([^?]+)\?(.+)$/u.exec(request) ?? [];
      return query === undefined ? [] : [[path, query] as const];
    });
    expect(shown.length).toBeGreaterThan(1);
    for (const [path, query] of shown) {
      const route = findRoute({ method: 'GET', path });
      if (route === undefined || route.method === 'POST')
        throw new Error(`there is no GET ${path}`);
      const told = [...route.query.keys].filter(
        (key) => key !== 'next_token' && !route.query.quiet.includes(key),
      );
      expect([...new URLSearchParams(query).keys()].toSorted(), path).toEqual(told.toSorted());
    }
  });

  it("has the TVM's own error names with their statuses, but for that of a bug", () => {
    const table = page.slice(page.indexOf('| status '), page.indexOf('## Operate it'));
    const rows = table.matchAll(/^\| (\d{3}(?:, \d{3})*) +\| (.+)\|$/gmu);
    const told = [...rows].flatMap(([, statuses = '', text = '']) =>
      [...text.matchAll(/`([A-Z][A-Za-z]+)`/gu)].map(([, name = '']) => [
        name,
        statuses.split(', ').map(Number),
      ]),
    );
    const { InternalFailure: _, ...own } = OWN_ERRORS;
    // Retry-After is not a word of letters only, so that it is not taken for a name.
    expect(Object.fromEntries(told)).toEqual(own);
    expect(told).toHaveLength(Object.keys(own).length);
  });
});
