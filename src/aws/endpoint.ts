/**
 * Whether an AWS endpoint is on the developer's own machine: loopback, or a host name without dots
 * (a service of `docker compose`). Demo keys are accepted, and demo documents written, only with
 * such an endpoint.
 *
 * @param endpoint the value of `AWS_ENDPOINT_URL`; undefined stands for AWS itself, which is never
 *   local
 */
export function isLocalEndpoint(endpoint: string | undefined): boolean {
  if (endpoint === undefined || !URL.canParse(endpoint)) return false;
  const host = new URL(endpoint).hostname;
  return (
    host === '[::1]' ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/u.test(host) ||
    /^[a-z0-9_-]+$/iu.test(host)
  );
}
