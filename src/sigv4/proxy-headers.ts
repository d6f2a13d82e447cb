/**
 * Headers that proxies, load balancers and service meshes rewrite, extend or remove: hop-by-hop
 * headers (RFC 9110 §7.6.1), Via (§7.6.3), X-Forwarded-*, those of traces, and what CloudFront
 * changes.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
 * https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/RequestAndResponseBehaviorCustomOrigin.html
 */
const PROXY_HEADERS: ReadonlySet<string> = new Set([
  'accept-encoding',
  'cdn-loop',
  'connection',
  'expect',
  'forwarded',
  'keep-alive',
  'max-forwards',
  'pragma',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'traceparent',
  'tracestate',
  'trailer',
  'transfer-encoding',
  'true-client-ip',
  'upgrade',
  'user-agent',
  'via',
  'x-amz-cf-id',
  'x-amzn-trace-id',
  'x-client-ip',
  'x-real-ip',
  'x-request-id',
]);

const PROXY_PREFIXES = /^(?:x-forwarded-|x-envoy-|x-b3-|cf-|cloudfront-)[a-z0-9-]{1,40}$/u;

/** At most so many names in the sentence: more would not help its reader. */
const MOST = 5;

/**
 * A sentence, after a blank, that names the signed headers that a proxy may have changed; empty if
 * there are none.
 *
 * @param signedHeaders names in lower case
 */
export function changedOnTheWay(signedHeaders: readonly string[]): string {
  const names = signedHeaders
    .filter((name) => PROXY_HEADERS.has(name) || PROXY_PREFIXES.test(name))
    .slice(0, MOST);
  if (names.length === 0) return '';
  const [are, them] = names.length === 1 ? ['is', 'it'] : ['are', 'them'];
  return ` ${names.map((name) => `"${name}"`).join(', ')} ${are} signed, and proxies change ${them}; do not sign ${them}.`;
}
