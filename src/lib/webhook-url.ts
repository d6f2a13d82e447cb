/** Whether a URL is plain http to this very machine, where nobody can listen in on the way. */
export function isLoopbackHttp(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return (
    protocol === 'http:' && /^(?:localhost|\[::1\]|127\.\d{1,3}\.\d{1,3}\.\d{1,3})$/u.test(hostname)
  );
}

/**
 * Whether events can be posted to a URL: https, or http to loopback, which only a desk may use. Not
 * with `user:password@`, which proxies and logs repeat.
 */
export function isWebhookUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return (protocol === 'https:' || isLoopbackHttp(text)) && username === '' && password === '';
}
