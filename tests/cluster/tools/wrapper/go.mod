module gpudev.test/cluster/wrapper

go 1.26.0
