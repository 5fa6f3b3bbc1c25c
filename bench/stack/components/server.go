package components

// Server is etcd and kube-apiserver in one process.
func Server(e Env) Component {
	flags := []string{
		"--etcd-dir=" + e.Dir + "/etcd", "--etcd-url=http://" + e.Address(Etcd), "--",
		"--bind-address=127.0.0.1", "--secure-port=" + port(e, APIServer),
		// No endpoint of a loopback address can be published for the service "kubernetes", so it isn't tried.
		"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
		"--service-cluster-ip-range=10.96.0.0/16",
		// It taints new nodes "not ready" until the node life cycle controller, which does not run here, takes that away.
		"--disable-admission-plugins=TaintNodesByCondition",
		"--authorization-mode=Node,RBAC", "--allow-privileged=true",
		"--token-auth-file=" + e.Dir + "/tokens.csv",
		"--tls-cert-file=" + e.PKI(certificateServing+".crt"), "--tls-private-key-file=" + e.PKI(certificateServing+".key"),
		"--client-ca-file=" + e.PKI("ca.crt"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + e.PKI("sa.pub"), "--service-account-signing-key-file=" + e.PKI("sa.key"),
		"--kubelet-client-certificate=" + e.PKI("kubelet-client.crt"), "--kubelet-client-key=" + e.PKI("kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--requestheader-client-ca-file=" + e.PKI("front-proxy-ca.crt"), "--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + e.PKI("front-proxy-client.crt"), "--proxy-client-key-file=" + e.PKI("front-proxy-client.key"),
	}
	spec := e.kube("kube-apiserver", "server", flags...)
	spec.Wave = serverWave
	return Component{
		Spec:  spec,
		Ports: []string{Etcd, APIServer},
		Ready: "https://" + e.Address(APIServer) + "/readyz",
	}
}
