package components

import "strconv"

// ControllerManager is our small set of Kubernetes' own controllers; see kube/controllerset.go.
func ControllerManager(e Env) Component {
	return Component{
		Spec: e.kube("controller-manager", "controllers", "--kubeconfig="+e.Kubeconfig("controllers"),
			"--root-ca-file="+e.PKI("ca.crt"), "--listen="+e.Address(Controllers)),
		Ports: []string{Controllers},
		Ready: "http://" + e.Address(Controllers) + "/healthz",
	}
}

// KubeScheduler places the pods that name no node.
func KubeScheduler(e Env) Component {
	kubeconfig := e.Kubeconfig("kube-scheduler")
	return Component{
		Spec: e.kube("kube-scheduler", "scheduler", "--kubeconfig="+kubeconfig,
			"--authentication-kubeconfig="+kubeconfig, "--authorization-kubeconfig="+kubeconfig,
			"--bind-address=127.0.0.1", "--secure-port="+port(e, Scheduler), "--leader-elect=false",
			"--tls-cert-file="+e.PKI(certificateServing+".crt"), "--tls-private-key-file="+e.PKI(certificateServing+".key")),
		Ports: []string{Scheduler},
		Ready: "https://" + e.Address(Scheduler) + "/healthz",
	}
}

func port(e Env, name string) string { return strconv.Itoa(e.Ports[name]) }
