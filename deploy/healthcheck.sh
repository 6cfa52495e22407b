#!/bin/bash
# Asks /ready with nothing but bash, because the image has no HTTP client. The answer is shown by
# `docker inspect`: it tells why the process is not ready.
#
# usage: healthcheck [PORT]
set -eu
exec 3<>"/dev/tcp/127.0.0.1/${1:-8080}"
printf 'GET /ready HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
IFS=' ' read -r _ status _ <&3
while IFS= read -r line; do
  [ "$line" = $'\r' ] && break
done <&3
cat <&3
[ "$status" = 200 ]
