package main

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller/certificates/rootcacertpublisher"
	"k8s.io/kubernetes/pkg/controller/clusterroleaggregation"
	"k8s.io/kubernetes/pkg/controller/cronjob"
	"k8s.io/kubernetes/pkg/controller/daemon"
	"k8s.io/kubernetes/pkg/controller/deployment"
	"k8s.io/kubernetes/pkg/controller/garbagecollector"
	"k8s.io/kubernetes/pkg/controller/job"
	"k8s.io/kubernetes/pkg/controller/namespace"
	"k8s.io/kubernetes/pkg/controller/replicaset"
	"k8s.io/kubernetes/pkg/controller/serviceaccount"
	"k8s.io/kubernetes/pkg/controller/statefulset"
)

const (
	workers = 5 // as kube-controller-manager's default for its workload controllers

	gcPeriod        = 30 * time.Second // how often new kinds (CRDs) are discovered; upstream's period
	namespacePeriod = 5 * time.Minute  // upstream's default resync of namespaces
)

// loop runs one controller until its context ends.
type loop = func(context.Context)

// controllerSet has a constructor for each controller. Left out on purpose: resource quotas, node life cycle (kwok keeps
// nodes Ready without heartbeats), endpoints (pod addresses are loopback, which EndpointSlices refuse), volumes, autoscaling, disruption, certificates.
var controllerSet = map[string]func(context.Context, *manager) (loop, error){
	"serviceaccount":         newServiceAccount,
	"namespace":              newNamespace,
	"garbagecollector":       newGarbageCollector,
	"rootcacertpublisher":    newRootCA,
	"clusterroleaggregation": newClusterRoles,
	"deployment":             newDeployment,
	"replicaset":             newReplicaSet,
	"statefulset":            newStatefulSet,
	"daemonset":              newDaemonSet,
	"job":                    newJob,
	"cronjob":                newCronJob,
}

func newServiceAccount(ctx context.Context, m *manager) (loop, error) {
	core := m.informers.Core().V1()
	c, err := serviceaccount.NewServiceAccountsController(klog.FromContext(ctx), core.ServiceAccounts(), core.Namespaces(),
		m.client, serviceaccount.DefaultServiceAccountsControllerOptions())
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) { c.Run(ctx, 1) }, nil
}

func newNamespace(ctx context.Context, m *manager) (loop, error) {
	c := namespace.NewNamespaceController(ctx, m.client, m.metadata, m.client.Discovery().ServerPreferredNamespacedResources,
		m.informers.Core().V1().Namespaces(), namespacePeriod, corev1.FinalizerKubernetes)
	return func(ctx context.Context) { c.Run(ctx, workers) }, nil
}

func newGarbageCollector(ctx context.Context, m *manager) (loop, error) {
	c, err := garbagecollector.NewGarbageCollector(ctx, m.client, m.metadata, m.mapper,
		garbagecollector.DefaultIgnoredResources(), m.objects, m.started)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) {
		var both sync.WaitGroup
		both.Go(func() { c.Run(ctx, workers, gcPeriod) })
		both.Go(func() { c.Sync(ctx, m.client.Discovery(), gcPeriod) })
		both.Wait()
	}, nil
}

func newRootCA(_ context.Context, m *manager) (loop, error) {
	core := m.informers.Core().V1()
	c, err := rootcacertpublisher.NewPublisher(core.ConfigMaps(), core.Namespaces(), m.client, m.rootCA)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) { c.Run(ctx, 1) }, nil
}

func newClusterRoles(_ context.Context, m *manager) (loop, error) {
	c := clusterroleaggregation.NewClusterRoleAggregation(m.informers.Rbac().V1().ClusterRoles(), m.client.RbacV1())
	return func(ctx context.Context) { c.Run(ctx, 1) }, nil
}

func newDeployment(ctx context.Context, m *manager) (loop, error) {
	apps := m.informers.Apps().V1()
	c, err := deployment.NewDeploymentController(ctx, apps.Deployments(), apps.ReplicaSets(), m.informers.Core().V1().Pods(), m.client)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) { c.Run(ctx, workers) }, nil
}

func newReplicaSet(ctx context.Context, m *manager) (loop, error) {
	c := replicaset.NewReplicaSetController(ctx, m.informers.Apps().V1().ReplicaSets(), m.informers.Core().V1().Pods(),
		m.client, replicaset.BurstReplicas)
	return func(ctx context.Context) { c.Run(ctx, workers) }, nil
}

func newStatefulSet(ctx context.Context, m *manager) (loop, error) {
	core, apps := m.informers.Core().V1(), m.informers.Apps().V1()
	c := statefulset.NewStatefulSetController(ctx, core.Pods(), apps.StatefulSets(), core.PersistentVolumeClaims(),
		apps.ControllerRevisions(), m.client)
	return func(ctx context.Context) { c.Run(ctx, workers) }, nil
}

func newDaemonSet(ctx context.Context, m *manager) (loop, error) {
	core, apps := m.informers.Core().V1(), m.informers.Apps().V1()
	c, err := daemon.NewDaemonSetsController(ctx, apps.DaemonSets(), apps.ControllerRevisions(), core.Pods(), core.Nodes(),
		m.client, flowcontrol.NewBackOff(time.Second, 15*time.Minute))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) { c.Run(ctx, workers) }, nil
}

func newJob(ctx context.Context, m *manager) (loop, error) {
	// The two nils are the gang-scheduling informers, which only an alpha feature gate asks for.
	c, err := job.NewController(ctx, m.client, m.informers.Core().V1().Pods(), m.informers.Batch().V1().Jobs(), nil, nil)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) { c.Run(ctx, workers) }, nil
}

func newCronJob(ctx context.Context, m *manager) (loop, error) {
	batch := m.informers.Batch().V1()
	c, err := cronjob.NewControllerV2(ctx, batch.Jobs(), batch.CronJobs(), m.client)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) { c.Run(ctx, workers) }, nil
}
