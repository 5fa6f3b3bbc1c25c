#!/usr/bin/env bash
# kubesphere.sh URL [USER [PASSWORD]]: what a client of KubeSphere does, by its documented calls and curl alone: log in, list users,
# create a user, bind a role, change the password, log in as the new user, log out. It removes what it made.
# Against `make run` the password may be left out: it is taken from .postern/run/users.json. CACERT names the authority of an https URL.
set -euo pipefail
url=${1:?"usage: kubesphere.sh URL [USER [PASSWORD]]"} user=${2:-admin}
password=${3:-$(sed -n "/\"name\": \"$user\"/,/}/s/.*\"password\": \"\([^\"]*\)\".*/\1/p" .postern/run/users.json | head -1)}
iam=/kapis/iam.kubesphere.io/v1alpha2
name=client-$$-$RANDOM
answer=$(mktemp)
token=

# call WANT METHOD PATH [curl's arguments]: a request with the token; the answer's body is in $answer. Fails unless its code is WANT.
call() {
  local want=$1 method=$2 path=$3 code
  shift 3
  code=$(curl -sS --max-time 30 ${CACERT:+--cacert "$CACERT"} -o "$answer" -w '%{http_code}' -X "$method" ${token:+-H "Authorization: Bearer $token"} "$@" "$url$path")
  if [ "$code" != "$want" ]; then
    echo "$method $path: $code instead of $want: $(head -c 500 "$answer")" >&2
    return 1
  fi
  echo "$method $path: $code"
}
json() { call "$1" "$2" "$3" -H 'Content-Type: application/json' -d "$4"; }
# field NAME: the first text of that name in the answer.
field() { tr -d '\n' < "$answer" | sed -n "s/^.*\"$1\" *: *\"\([^\"]*\)\".*$/\1/p"; }
# login USER PASSWORD: a token by the password grant.
login() {
  token=
  call 200 POST /oauth/token -d grant_type=password --data-urlencode "username=$1" --data-urlencode "password=$2" -d client_id=kubesphere -d client_secret=kubesphere
  token=$(field access_token)
  [ -n "$token" ] || { echo "no access_token in $(cat "$answer")" >&2; return 1; }
}
has() { grep -q "$1" "$answer" || { echo "$2: $(head -c 500 "$answer")" >&2; return 1; }; }
tidy() {
  local code=$?
  if [ $code -ne 0 ]; then login "$user" "$password" > /dev/null 2>&1 && call 200 DELETE "$iam/users/$name" > /dev/null 2>&1 || true; fi
  rm -f "$answer"
  exit $code
}
trap tidy EXIT

login "$user" "$password"
admin=$token
call 200 GET "$iam/users?limit=10&sortBy=createTime"
has '"totalItems"' "no list"
json 200 POST "$iam/users" "{\"apiVersion\":\"iam.kubesphere.io/v1alpha2\",\"kind\":\"User\",\"metadata\":{\"name\":\"$name\",\"annotations\":{\"iam.kubesphere.io/globalrole\":\"platform-regular\"}},\"spec\":{\"email\":\"$name@example.com\",\"password\":\"First-Pa55word\"}}"
call 200 GET "$iam/users/$name"
has "$name@example.com" "not the new user"
! grep -q First-Pa55word "$answer" || { echo "the password is in the answer" >&2; exit 1; }
json 200 POST "$iam/workspaces/demo/workspacemembers" "[{\"username\":\"$name\",\"roleRef\":\"demo-viewer\"}]"
call 200 GET "$iam/workspaces/demo/workspacemembers?name=$name"
has "\"$name\"" "not among the members"

login "$name" First-Pa55word
call 403 GET "$iam/users"
json 200 PUT "$iam/users/$name/password" '{"currentPassword":"First-Pa55word","password":"Second-Pa55word"}'
login "$name" Second-Pa55word
call 200 GET /oauth/userinfo
has "\"$name\"" "not the user's own"
old=$token
call 200 GET /oauth/logout
token=$old
call 401 GET /oauth/userinfo

token=$admin
call 200 DELETE "$iam/users/$name"
call 404 GET "$iam/users/$name"
call 200 GET /oauth/logout
call 401 GET "$iam/users"
echo "all calls were answered as documented"
