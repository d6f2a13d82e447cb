import { ROUTES, type OperationName, type Route } from './routes.ts';

/** The operations of one path. */
export type PathRoutes = {
  readonly path: string;
  readonly operations: readonly (readonly [name: OperationName, route: Route])[];
  /** What `Allow` of a 405 says. */
  readonly allow: readonly string[];
};

const OPERATIONS = Object.entries(ROUTES) as readonly (readonly [OperationName, Route])[];

/** The routes by path, each path once. */
export const PATHS: readonly PathRoutes[] = [
  ...Map.groupBy(OPERATIONS, ([, { path }]) => path),
].map(([path, operations]) => {
  const methods = operations.map(([, { method }]) => method);
  const heads = operations.some(([, { head }]) => head) ? ['HEAD'] : [];
  return { path, operations, allow: [...methods, ...heads] };
});

const FIXED = new Map(
  PATHS.filter(({ path }) => !path.includes(':')).map((routes) => [routes.path, routes]),
);

const WITH_ID = PATHS.filter(({ path }) => path.includes(':')).map(
  (routes) =>
    [routes, new RegExp(`^${routes.path.replaceAll(/:\w+/gu, '([^/]+)')}$`, 'u')] as const,
);

/** Finds the routes of a path as it stands in a request; undefined if nothing answers there. */
export function findPath(path: string): PathRoutes | undefined {
  return FIXED.get(path) ?? WITH_ID.find(([, pattern]) => pattern.test(path))?.[0];
}

/** Finds what a request is for; undefined if nothing answers it. */
export function findRoute({
  method,
  path,
}: {
  readonly method: string;
  readonly path: string;
}): Route | undefined {
  return findPath(path)?.operations.find(([, route]) => route.method === method)?.[1];
}

/**
 * The text that stands in a request's path in the place of a route's `:id`; empty if there is none.
 */
export function idIn(route: Pick<Route, 'path'>, path: string): string {
  return path.split('/')[route.path.split('/').indexOf(':id')] ?? '';
}

/** A path as documents show it: `/sessions/{id}`. */
export function toShownPath(path: string): string {
  return path.replaceAll(/:(\w+)/gu, '{$1}');
}

/** All that there is, in words: "GET / or POST / vends credentials for a profile, …". */
export function describeRoutes(): string {
  const byDeed = Map.groupBy(OPERATIONS, ([, { does }]) => does);
  const parts = [...byDeed].map(([does, operations]) => {
    const names = operations.map(([, { method, path }]) => `${method} ${toShownPath(path)}`);
    return `${names.join(' or ')} ${does}`;
  });
  return parts.join(', ');
}
