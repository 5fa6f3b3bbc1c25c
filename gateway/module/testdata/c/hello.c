#define HOST(name) __attribute__((import_module("postern/v1"), import_name(#name)))
HOST(request_field)   int request_field(int ex, int field, char *buf, int cap);
HOST(response_header) int response_header(int ex, const char *name, int name_len, const char *value, int value_len);
HOST(response_write)  int response_write(int ex, const char *ptr, int len);

__attribute__((export_name("postern_handle"))) void handle(int ex) {
  char user[256];
  int n = request_field(ex, 16, user, sizeof user);
  if (n < 0 || n > (int)sizeof user) n = 0;
  response_header(ex, "Content-Type", 12, "text/plain", 10);
  response_write(ex, "hello, ", 7);
  response_write(ex, user, n);
  response_write(ex, "\n", 1);
}
